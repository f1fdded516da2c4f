import type { StreamingDecoder, Tokenizer } from '../tokenizer/index.js';

/**
 * Why a text ended, by the names of OpenAI's interface, which llama.cpp and vLLM have too: `stop` at a mark that ends an answer or before a stop
 * string, `length` at the limit of tokens or of the context. `cancelled`, which they lack, is by the user.
 */
export type FinishReason = 'stop' | 'length' | 'cancelled';

/** Turns the tokens of one sample into text that can be shown as it comes, and finds where it is to stop. */
export interface OutputText {
  /** The text that has become certain with this token. Whole characters only, and nothing that may be the beginning of a stop string. */
  push(id: number): string;
  /** Whether a stop string has appeared; it and what follows it are never given out. */
  readonly stopped: boolean;
  /** The one that has. */
  readonly stopString: string | undefined;
  /** What was held back. */
  end(): string;
}

/** @param tidy leave out white space around the text and half a character at its end, as people like to read an answer. */
export function outputText(decoder: StreamingDecoder, stops: readonly string[], { tidy = false } = {}): OutputText {
  let held = '';
  let stopString: string | undefined;
  const tidied = tidy ? trimming() : (text: string) => text;

  const release = (text: string, last: boolean): string => {
    if (stopString !== undefined) return '';
    held += text;
    const found = stops.map((stop) => ({ stop, at: held.indexOf(stop) })).filter(({ at }) => at >= 0);
    if (found.length > 0) {
      const first = found.reduce((a, b) => (b.at < a.at ? b : a));
      stopString = first.stop;
      return tidied(held.slice(0, first.at));
    }
    const kept = last ? 0 : Math.max(0, ...stops.map((stop) => overlap(held, stop)));
    const out = held.slice(0, held.length - kept);
    held = held.slice(held.length - kept);
    return tidied(out);
  };

  return {
    push: (id) => release(decoder.push(id), false),
    get stopped() {
      return stopString !== undefined;
    },
    get stopString() {
      return stopString;
    },
    end() {
      const half = decoder.end();
      return release(tidy ? '' : half, true);
    },
  };
}

/** The text of an answer as people read it, and why it ended. */
export interface AnswerText {
  /** As that of `OutputText`, without special tokens and without white space around the answer. Nothing may follow once there is a reason. */
  push(id: number): string;
  readonly finishReason: FinishReason | undefined;
  /** The stop string that ended it, if one did. */
  readonly stopString: string | undefined;
  /** What was held back. */
  end(): string;
}

export interface AnswerLimits {
  /** Ids that end an answer: a chat template's. */
  stopIds: ReadonlySet<number>;
  /** An answer ends before the first of these. */
  stop: readonly string[];
  maxTokens: number;
}

export function answerText(tokenizer: Tokenizer, { stopIds, stop, maxTokens }: AnswerLimits): AnswerText {
  const output = outputText(tokenizer.decoder({ skipSpecial: true }), stop, { tidy: true });
  let count = 0;
  let finishReason: FinishReason | undefined;
  return {
    push(id) {
      count++;
      const isEnd = stopIds.has(id);
      const text = isEnd ? '' : output.push(id);
      if (isEnd || output.stopped) finishReason = 'stop';
      else if (count >= maxTokens) finishReason = 'length';
      return text;
    },
    get finishReason() {
      return finishReason;
    },
    get stopString() {
      return output.stopString;
    },
    end: () => output.end(),
  };
}

/** Passes text on without the white space that begins it, and holds back such that may end it. */
function trimming(): (text: string) => string {
  let begun = false;
  let space = '';
  return (text) => {
    const all = begun ? space + text : text.trimStart();
    const out = all.trimEnd();
    begun ||= out !== '';
    space = all.slice(out.length);
    return out;
  };
}

/** Length of the longest end of `text` that `stop` begins with. */
function overlap(text: string, stop: string): number {
  for (let n = Math.min(text.length, stop.length - 1); n > 0; n--) {
    if (stop.startsWith(text.slice(text.length - n))) return n;
  }
  return 0;
}
