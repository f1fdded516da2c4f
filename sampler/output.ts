import type { StreamingDecoder } from '../tokenizer/index.js';

/** Turns the tokens of one sample into text that can be shown as it comes, and finds where it is to stop. */
export interface OutputText {
  /** The text that has become certain with this token. Whole characters only, and nothing that may be the beginning of a stop string. */
  push(id: number): string;
  /** Whether a stop string has appeared; it and what follows it are never given out. */
  readonly stopped: boolean;
  /** What was held back. */
  end(): string;
}

export function outputText(decoder: StreamingDecoder, stops: readonly string[]): OutputText {
  let held = '';
  let stopped = false;

  const release = (text: string, last: boolean): string => {
    if (stopped) return '';
    held += text;
    const found = stops.map((stop) => held.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      stopped = true;
      return held.slice(0, Math.min(...found));
    }
    const kept = last ? 0 : Math.max(0, ...stops.map((stop) => overlap(held, stop)));
    const out = held.slice(0, held.length - kept);
    held = held.slice(held.length - kept);
    return out;
  };

  return {
    push: (id) => release(decoder.push(id), false),
    get stopped() {
      return stopped;
    },
    end: () => release(decoder.end(), true),
  };
}

/** Length of the longest end of `text` that `stop` begins with. */
function overlap(text: string, stop: string): number {
  for (let n = Math.min(text.length, stop.length - 1); n > 0; n--) {
    if (stop.startsWith(text.slice(text.length - n))) return n;
  }
  return 0;
}
