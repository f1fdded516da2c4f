import { Lines } from './lines.js';
import { Words } from './words.js';

/** A document as the rules see it: its UTF-8, and what is found in it when first asked for. One object serves document after document. */
export class Document {
  bytes: Uint8Array = new Uint8Array(0);
  private readonly foundWords = new Words();
  private readonly foundLines = new Lines();
  private wordsAreOf: Uint8Array | undefined;
  private linesAreOf: Uint8Array | undefined;
  private latinOf: Uint8Array | undefined;
  private latin = '';

  /** Of a text, for tests and callers that have strings. */
  static of(text: string): Document {
    return new Document().become(Buffer.from(text, 'utf8'));
  }

  /** Takes on another text. */
  become(bytes: Uint8Array): this {
    this.bytes = bytes;
    return this;
  }

  get words(): Words {
    if (this.wordsAreOf !== this.bytes) this.foundWords.scan(this.bytes);
    this.wordsAreOf = this.bytes;
    return this.foundWords;
  }

  get lines(): Lines {
    if (this.linesAreOf !== this.bytes) this.foundLines.scan(this.bytes);
    this.linesAreOf = this.bytes;
    return this.foundLines;
  }

  /** A string with a character for each byte: what regular expressions find in it stands at the same place in the bytes. */
  get byteString(): string {
    if (this.latinOf !== this.bytes) this.latin = buffer(this.bytes).latin1Slice();
    this.latinOf = this.bytes;
    return this.latin;
  }

  /** The text from one byte to another. */
  text(from = 0, to = this.bytes.length): string {
    return buffer(this.bytes).utf8Slice(from, to);
  }
}

function buffer(
  bytes: Uint8Array,
): Buffer & { latin1Slice(from?: number, to?: number): string; utf8Slice(from?: number, to?: number): string } {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) as ReturnType<typeof buffer>;
}
