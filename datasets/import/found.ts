import { isUtf8 } from 'node:buffer';

/** Most that one document, or one row that holds it, may have in bytes: what is larger is put aside without being held in memory. */
export const MAX_DOCUMENT_BYTES = 64 << 20;

/** Where something stands in a file: line or row from 1; offset in bytes from 0, in the unpacked file where it is packed. */
export interface Place {
  line?: number;
  row?: number;
  offset?: number;
}

/** Why something was put aside; the summary counts by these. */
export type Reason =
  | 'contradicting answers'
  | 'cut off'
  | 'damaged'
  | 'empty'
  | 'encrypted'
  | 'identical answers'
  | 'no such column'
  | 'not a comparison'
  | 'not a conversation'
  | 'not JSON'
  | 'not readable'
  | 'not text'
  | 'not the right encoding'
  | 'too large'
  | 'wrong number of columns'
  | 'wrong ranks'
  | 'wrong roles'
  | 'wrong weight';

export interface Rejected extends Place {
  file: string;
  reason: Reason;
  /** What was received, and the way out where there is one. */
  detail: string;
  /** The beginning of it. */
  excerpt: string;
}

/** Documents as Arrow holds them: text i is `bytes[offsets[i] … offsets[i + 1])`, of `sources[i]`. */
export interface Documents {
  bytes: Buffer<ArrayBuffer>;
  offsets: Int32Array;
  sources: string[];
}

/** What an excerpt is taken of: text, UTF-8, or a row. */
export type Excerpt = string | Buffer | Readonly<Record<string, unknown>>;

const START_BYTES = 1 << 20;
const START_ROWS = 1 << 13;

/**
 * What an importer finds: documents, and what is put aside. Readers add to it and yield now and then; whoever drives them takes what is there, so that
 * neither needs more memory than one document.
 */
export class Found {
  /** File and source of what is added next. */
  file = '';
  source = '';
  /** Encoding that the text was converted from; undefined for UTF-8. Bytes that are not of it have become U+FFFD. */
  encoding: string | undefined;
  /** Files that were left out on purpose, by why. */
  readonly skipped = new Map<string, number>();
  readonly rejected: Rejected[] = [];

  private text = Buffer.allocUnsafeSlow(START_BYTES);
  private offsets = new Int32Array(START_ROWS + 1);
  private count = 0;
  /** Sources in runs, each up to the document before `end`. */
  private runs: { source: string; end: number }[] = [];

  /** Bytes of the documents that wait. */
  get size(): number {
    return this.offsets[this.count];
  }

  /** Number of the documents that wait. */
  get length(): number {
    return this.count;
  }

  /**
   * Adds the document `bytes[start … end)`, or puts it aside where it is empty, too large or not UTF-8.
   * @param valid it is known to be UTF-8.
   */
  addBytes(bytes: Buffer, start: number, end: number, place: Place, valid = false): void {
    const size = end - start;
    if (size > MAX_DOCUMENT_BYTES) this.tooLarge(place, size, bytes.subarray(start, start + 800));
    else if (!valid && !isUtf8(bytes.subarray(start, end))) this.notUtf8(bytes.subarray(start, end), place);
    else if (isBlank(bytes, start, end)) this.blank(place, size);
    else if (this.encoding !== undefined && bytes.subarray(start, end).includes(REPLACEMENT)) {
      this.notEncoding(bytes.subarray(start, end), place);
    } else {
      const from = this.size;
      this.reserve(from + size);
      if (size > 48) bytes.copy(this.text, from, start, end);
      else for (let i = start, k = from; i < end; i++, k++) this.text[k] = bytes[i]; // a call costs more
      this.push(from + size);
    }
  }

  /** Adds a document, or puts it aside as `addBytes` does. */
  addText(text: string, place: Place): void {
    const most = text.length <= MAX_DOCUMENT_BYTES / 3 ? text.length * 3 : Buffer.byteLength(text);
    if (most > MAX_DOCUMENT_BYTES) this.tooLarge(place, most, Buffer.from(text.slice(0, 200)));
    else if (text.trim() === '') this.blank(place, text.length);
    else if (this.encoding !== undefined && text.includes('\ufffd')) this.notEncoding(text, place);
    else {
      const from = this.size;
      this.reserve(from + most);
      const size = this.text.write(text, from, 'utf8');
      if (size === text.length || isWellFormed(text)) this.push(from + size);
      else this.reject(place, 'not text', 'it holds half of a character (a lone surrogate)', text);
    }
  }

  reject(place: Place, reason: Reason, detail: string, excerpt: Excerpt = ''): void {
    const { line, row, offset } = place; // the place may be one that changes
    this.rejected.push({ file: this.file, line, row, offset, reason, detail, excerpt: textOf(excerpt).slice(0, 200) });
  }

  tooLarge(place: Place, size: number, excerpt: Buffer, wayOut = ''): void {
    const detail = `it has ${size.toLocaleString('en')} bytes; a document may have ${MAX_DOCUMENT_BYTES.toLocaleString('en')}${wayOut}`;
    this.reject(place, 'too large', detail, excerpt);
  }

  skip(why: string): void {
    this.skipped.set(why, (this.skipped.get(why) ?? 0) + 1);
  }

  /** The documents that wait. They are the caller's now. */
  take(): Documents {
    const sources = new Array<string>(this.count);
    let from = 0;
    for (const { source, end } of this.runs) {
      sources.fill(source, from, end);
      from = end;
    }
    const documents = { bytes: this.text.subarray(0, this.size), offsets: this.offsets.subarray(0, this.count + 1), sources };
    this.text = Buffer.allocUnsafeSlow(START_BYTES);
    this.offsets = new Int32Array(START_ROWS + 1);
    this.count = 0;
    this.runs = [];
    return documents;
  }

  /** What waits to be written down as put aside. */
  takeRejected(): Rejected[] {
    return this.rejected.splice(0);
  }

  private push(end: number): void {
    this.count++;
    if (this.count >= this.offsets.length) {
      const larger = new Int32Array(this.offsets.length * 2);
      larger.set(this.offsets);
      this.offsets = larger;
    }
    this.offsets[this.count] = end;
    const run = this.runs[this.runs.length - 1];
    if (run?.source === this.source) run.end = this.count;
    else this.runs.push({ source: this.source, end: this.count });
  }

  private blank(place: Place, size: number): void {
    this.reject(place, 'empty', size === 0 ? 'it has no text' : 'it has only spaces');
  }

  private notUtf8(bytes: Buffer, place: Place): void {
    const at = firstBadByte(bytes);
    const offset = place.offset === undefined ? undefined : place.offset + at;
    const detail = `the byte 0x${bytes[at].toString(16).padStart(2, '0')} is not UTF-8; say --encoding, such as gb18030 or latin1, if that is what it is`;
    this.reject({ ...place, offset }, 'not the right encoding', detail, bytes);
  }

  private notEncoding(text: Buffer | string, place: Place): void {
    this.reject(place, 'not the right encoding', `it has bytes that are not ${this.encoding} (where U+FFFD stands now)`, text);
  }

  private reserve(size: number): void {
    if (size <= this.text.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(size, Math.min(this.text.length * 2, this.text.length + (16 << 20))));
    this.text.copy(larger, 0, 0, this.size);
    this.text = larger;
  }
}

function textOf(excerpt: Excerpt): string {
  if (typeof excerpt === 'string') return excerpt;
  if (Buffer.isBuffer(excerpt)) return excerpt.toString('utf8', 0, 800);
  const readable = (_: string, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : typeof value === 'string' ? value.slice(0, 200) : value;
  return JSON.stringify(excerpt, readable);
}

/** ES2024; every Node that runs this has it. */
export const isWellFormed = (text: string) => (text as unknown as { isWellFormed(): boolean }).isWellFormed();
const REPLACEMENT = Buffer.from('\ufffd');

/** Whether UTF-8 holds nothing but white space. */
export function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte >= 0x80) return bytes.toString('utf8', i, end).trim() === '';
    if (byte > 0x20 || (byte < 0x20 && (byte < 0x09 || byte > 0x0d))) return false;
  }
  return true;
}

/** Place of the first byte of the character that is not UTF-8. There must be one. */
function firstBadByte(bytes: Buffer): number {
  let i = 0;
  for (let end = BLOCK; end < bytes.length; end = i + BLOCK) {
    while ((bytes[end] & 0xc0) === 0x80 && end > i) end--; // not within a character
    if (end === i || !isUtf8(bytes.subarray(i, end))) break;
    i = end;
  }
  while (i < bytes.length) {
    const size = bytes[i] < 0x80 ? 1 : bytes[i] < 0xe0 ? 2 : bytes[i] < 0xf0 ? 3 : 4;
    if (!isUtf8(bytes.subarray(i, i + size))) break;
    i += size;
  }
  return i;
}

const BLOCK = 1 << 16;
