import { createReadStream } from 'node:fs';

/** Bytes of one line or one element of an array, and the line on which it begins (from 1). */
export interface RawRow {
  line: number;
  bytes: Buffer;
  /** The file ended within it. */
  cut?: boolean;
}

const LINE_FEED = 0x0a;
const [QUOTE, BACKSLASH, COMMA, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = Buffer.from('"\\,[]{}');
const CHUNK = 1 << 20;
const isBlank = (byte: number) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/** Lines of a file without their line ends (\n or \r\n), read chunk by chunk. A byte order mark is left out. */
export async function* readLines(path: string): AsyncGenerator<RawRow> {
  let pending: Buffer[] = [];
  let line = 1;
  const take = (end: Buffer): RawRow => {
    const bytes = pending.length === 0 ? end : Buffer.concat([...pending, end]);
    pending = [];
    return { line, bytes: withoutReturn(line === 1 ? withoutMark(bytes) : bytes) };
  };
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      yield take(chunk.subarray(start, end));
      start = end + 1;
      line++;
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
  if (pending.length > 0) yield take(Buffer.alloc(0));
}

/** Elements of a JSON array, which may span lines, found by their brackets without parsing the whole. */
export async function* readArray(path: string): AsyncGenerator<RawRow> {
  let pending: Buffer[] = [];
  let line = 1;
  let begun = 0; // line of the current element; 0 = between elements
  let depth = 0;
  let quoted = false;
  let escaped = false;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (byte === LINE_FEED) line++;
      if (escaped) escaped = false;
      else if (quoted) {
        if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) quoted = false;
      } else if (depth === 1 && (byte === COMMA || byte === CLOSE_BRACKET)) {
        if (begun > 0) yield { line: begun, bytes: Buffer.concat([...pending, chunk.subarray(start, i)]) };
        pending = [];
        begun = 0;
        if (byte === CLOSE_BRACKET) depth--;
      } else if (depth === 0) {
        if (byte === OPEN_BRACKET) depth++;
      } else {
        if (begun === 0 && !isBlank(byte)) {
          begun = line;
          start = i;
        }
        if (byte === QUOTE) quoted = true;
        else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) depth++;
        else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) depth--;
      }
    }
    if (begun > 0) {
      pending.push(chunk.subarray(start));
    }
  }
  if (begun > 0) yield { line: begun, bytes: Buffer.concat(pending), cut: true };
}

/** Whether a file's first sign is the bracket of a JSON array. */
export async function beginsArray(path: string): Promise<boolean> {
  for await (const chunk of createReadStream(path, { highWaterMark: 4096 }) as AsyncIterable<Buffer>) {
    const first = withoutMark(chunk).find((byte) => !isBlank(byte));
    if (first !== undefined) return first === OPEN_BRACKET;
  }
  return false;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of bytes; undefined where they are not UTF-8. */
export function decodeText(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

export function withoutMark(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

function withoutReturn(bytes: Buffer): Buffer {
  return bytes.at(-1) === 0x0d ? bytes.subarray(0, -1) : bytes;
}
