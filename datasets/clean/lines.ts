const LINE_FEED = 0x0a;

/**
 * The lines of a document that are not blank, without the white space around them, and the paragraphs that blank lines part. Only the
 * first `count` elements of the arrays mean anything.
 */
export class Lines {
  count = 0;
  start = new Int32Array(64);
  /** Byte after the last. */
  end = new Int32Array(64);
  /** Number of characters, and a hash of the bytes. */
  characters = new Int32Array(64);
  hash = new Int32Array(64);
  /** Paragraph of each line, from 0. */
  paragraph = new Int32Array(64);
  /** Characters of all lines. */
  allCharacters = 0;

  scan(bytes: Uint8Array): this {
    this.count = 0;
    this.allCharacters = 0;
    let paragraph = 0;
    for (let from = 0; from <= bytes.length; ) {
      let to = bytes.indexOf(LINE_FEED, from);
      if (to < 0) to = bytes.length;
      const next = to + 1;
      let start = from;
      while (start < to && (bytes[start] <= 0x20 || isWideSpace(bytes, start))) start += bytes[start] <= 0x20 ? 1 : 3;
      while (to > start && (bytes[to - 1] <= 0x20 || (to - 3 >= start && isWideSpace(bytes, to - 3)))) to -= bytes[to - 1] <= 0x20 ? 1 : 3;
      if (start < to) this.add(bytes, start, to, paragraph);
      else if (this.count > 0) paragraph = this.paragraph[this.count - 1] + 1;
      from = next;
    }
    return this;
  }

  private add(bytes: Uint8Array, start: number, end: number, paragraph: number): void {
    let h = 0;
    let characters = 0;
    for (let i = start; i < end; i++) {
      const byte = bytes[i];
      h = Math.imul(h ^ byte, 0x01000193) + 0x9e3779b9;
      if ((byte & 0xc0) !== 0x80) characters++;
    }
    const line = this.count++;
    if (line === this.start.length) this.grow();
    this.start[line] = start;
    this.end[line] = end;
    this.characters[line] = characters;
    this.hash[line] = h;
    this.paragraph[line] = paragraph;
    this.allCharacters += characters;
  }

  private grow(): void {
    const larger = (array: Int32Array<ArrayBuffer>) => {
      const copy = new Int32Array(2 * array.length);
      copy.set(array);
      return copy;
    };
    this.start = larger(this.start);
    this.end = larger(this.end);
    this.characters = larger(this.characters);
    this.hash = larger(this.hash);
    this.paragraph = larger(this.paragraph);
  }
}

/** U+3000, with which Chinese paragraphs are indented. */
function isWideSpace(bytes: Uint8Array, i: number): boolean {
  return bytes[i] === 0xe3 && bytes[i + 1] === 0x80 && bytes[i + 2] === 0x80;
}
