import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';

/** Messages as they are typed. */
export interface MessageInput {
  /** Whether a person types at a terminal and reads there. */
  readonly interactive: boolean;
  /** Shows the prompt and waits for a message; undefined at the end of the input. What is typed meanwhile is kept for later and not shown. */
  next(): Promise<string | undefined>;
  /** Does `work`; the signal it is given is aborted by Ctrl-C. */
  during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  close(): void;
}

/** Where messages are typed and shown: stdin and stdout. */
export interface Streams {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
}

/**
 * At a terminal what a person types, else one message a line. Once `signal` is aborted there are no more.
 * @param leave what a person types to leave, for messages.
 */
export function messageInput(signal: AbortSignal, streams: Streams = process, leave = '/exit'): MessageInput {
  const interactive = streams.stdin.isTTY === true && streams.stdout.isTTY === true;
  const input = interactive ? typedMessages(streams, leave) : lineMessages(streams);
  signal.addEventListener('abort', () => input.close());
  return {
    ...input,
    interactive,
    during: (work) => input.during((stop) => work(AbortSignal.any([signal, stop]))),
  };
}

type Source = Omit<MessageInput, 'interactive'>;

/** Messages that have come, and whoever waits for one. */
class Queue {
  private readonly messages: string[] = [];
  private waiting: ((message: string | undefined) => void) | undefined;
  private ended = false;

  push(message: string): void {
    if (this.waiting) this.give(message);
    else this.messages.push(message);
  }

  end(): void {
    this.ended = true;
    this.give(undefined);
  }

  clear(): void {
    this.messages.length = 0;
  }

  /** @param wait called when there is none yet. */
  async next(wait: () => void): Promise<string | undefined> {
    if (this.messages.length > 0) return this.messages.shift();
    if (this.ended) return undefined;
    wait();
    return new Promise((resolve) => {
      this.waiting = resolve;
    });
  }

  private give(message: string | undefined): void {
    this.waiting?.(message);
    this.waiting = undefined;
  }
}

function lineMessages({ stdin }: Streams): Source {
  const queue = new Queue();
  const reader = createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY });
  reader.on('line', (line) => queue.push(line)).on('close', () => queue.end());
  return {
    next: () => queue.next(() => {}),
    during: (work) => work(new AbortController().signal),
    close() {
      queue.clear();
      reader.close();
    },
  };
}

const PROMPT = '> ';
const MORE = '… ';
// A terminal that knows them says with these where a paste begins and ends.
const BRACKETED_PASTE = { on: '\x1b[?2004h', off: '\x1b[?2004l' };

/** A line that ends in a backslash goes on in the next one; a paste is one message, whatever its lines. */
function typedMessages({ stdin, stdout }: Streams, leave: string): Source {
  const queue = new Queue();
  const screen = new Screen(stdout);
  const reader = createInterface({ input: stdin, output: screen, terminal: true, prompt: PROMPT, historySize: 1000 });
  let begun: string[] = [];
  let pasting = false;
  let leaving = false;
  let prompting = false;
  let stop: AbortController | undefined;

  const prompt = () => {
    reader.setPrompt(begun.length > 0 ? MORE : PROMPT);
    reader.prompt(true);
    prompting = true;
  };
  stdin.on('keypress', (_, key?: { name?: string; ctrl?: boolean }) => {
    if (key?.name === 'paste-start') pasting = true;
    if (key?.name === 'paste-end') pasting = false;
    if (!(key?.ctrl && key.name === 'c')) leaving = false;
  });
  reader.on('line', (line) => {
    const goesOn = !pasting && line.endsWith('\\');
    begun.push(goesOn ? line.slice(0, -1) : line);
    if (goesOn || pasting) {
      if (!stop) prompt();
      return;
    }
    prompting = false;
    queue.push(begun.join('\n'));
    begun = [];
  });
  reader.on('SIGINT', () => {
    if (stop) return stop.abort();
    if (begun.length > 0 || reader.line !== '') {
      begun = [];
      clearLine(reader);
    } else if (leaving) {
      return reader.close();
    } else {
      leaving = true;
      stdout.write(`\nCtrl-C once more, Ctrl-D or ${leave} leaves.`);
    }
    stdout.write('\n');
    prompt();
  });
  reader.on('close', () => {
    stdout.write(`${BRACKETED_PASTE.off}${prompting ? '\n' : ''}`);
    queue.end();
  });
  stdout.write(BRACKETED_PASTE.on);

  return {
    async next() {
      let asked = false;
      const message = await queue.next(() => {
        asked = true;
        prompt();
      });
      if (!asked && message !== undefined) stdout.write(`${PROMPT}${message}\n`); // it was not seen when it was typed
      return message;
    },
    async during(work) {
      stop = new AbortController();
      screen.quiet = true;
      try {
        return await work(stop.signal);
      } finally {
        stop = undefined;
        screen.quiet = false;
      }
    },
    close() {
      queue.clear();
      reader.close();
    },
  };
}

/** Stdout for what is typed, while that is to be seen. */
class Screen extends Writable {
  quiet = false;
  readonly isTTY = true;

  constructor(private readonly stdout: Streams['stdout']) {
    super({ decodeStrings: false });
    stdout.on('resize', () => this.emit('resize'));
  }

  get columns(): number {
    return this.stdout.columns ?? 80;
  }

  override _write(chunk: string | Uint8Array, _: BufferEncoding, done: () => void): void {
    if (!this.quiet) this.stdout.write(chunk);
    done();
  }
}

function clearLine(reader: Interface): void {
  reader.write(null, { ctrl: true, name: 'e' });
  reader.write(null, { ctrl: true, name: 'u' });
}
