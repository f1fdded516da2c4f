import { UserError } from '../util/errors.js';

/** Words and how often each occurs: word i is the UTF-8 `bytes[ends[i - 1] … ends[i])`, the first one starts at 0. */
export interface CountedWords {
  bytes: Uint8Array<ArrayBuffer>;
  ends: Int32Array<ArrayBuffer>;
  counts: Float64Array<ArrayBuffer>;
}

const MOST_BYTES = 2 ** 31 - 1; // of distinct words; training numbers their bytes with 32 bits

/**
 * Counts words in flat arrays: a word costs its bytes and about 30 more, where an entry of a `Map` costs three times that, and 16 million
 * entries are the most it takes. What bounds it is the number of different words, not the length of the text.
 */
export class WordCounts {
  size = 0;
  private bytes = new Uint8Array(1 << 12);
  private ends = new Int32Array(1 << 8);
  private counts = new Float64Array(1 << 8);
  private hashes = new Int32Array(1 << 8);
  /** Open addressing: index of a word plus one, or 0. */
  private slots = new Int32Array(1 << 9);
  private used = 0; // bytes

  add(word: string): void {
    this.makeRoom(3 * word.length);
    const { bytes } = this;
    // The word is written where a new one would stand, and stays there if it is one.
    let end = this.used;
    for (let i = 0; i < word.length; i++) {
      const unit = word.charCodeAt(i);
      if (unit < 0x80) bytes[end++] = unit;
      else if (unit < 0x800) {
        bytes[end++] = 0xc0 | (unit >> 6);
        bytes[end++] = 0x80 | (unit & 63);
      } else if (unit >= 0xd800 && unit < 0xdc00) {
        const point = word.codePointAt(i++)!;
        bytes[end++] = 0xf0 | (point >> 18);
        bytes[end++] = 0x80 | ((point >> 12) & 63);
        bytes[end++] = 0x80 | ((point >> 6) & 63);
        bytes[end++] = 0x80 | (point & 63);
      } else {
        bytes[end++] = 0xe0 | (unit >> 12);
        bytes[end++] = 0x80 | ((unit >> 6) & 63);
        bytes[end++] = 0x80 | (unit & 63);
      }
    }
    this.count(end, 1);
  }

  /** Adds words that were counted elsewhere. */
  addAll({ bytes, ends, counts }: CountedWords): void {
    let start = 0;
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i];
      this.makeRoom(end - start);
      let to = this.used;
      for (let from = start; from < end; from++) this.bytes[to++] = bytes[from];
      this.count(to, counts[i]);
      start = end;
    }
  }

  /** The words so far, in arrays of just their size. */
  words(): CountedWords {
    return { bytes: this.bytes.slice(0, this.used), ends: this.ends.slice(0, this.size), counts: this.counts.slice(0, this.size) };
  }

  /** Counts the word that stands at `used … end`. */
  private count(end: number, count: number): void {
    const { slots, hashes } = this;
    const hash = hashOf(this.bytes, this.used, end);
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (let entry = slots[slot]; entry !== 0; entry = slots[slot]) {
      if (hashes[entry - 1] === hash && this.isWord(entry - 1, end)) {
        this.counts[entry - 1] += count;
        return;
      }
      slot = (slot + 1) & mask;
    }
    if (end > MOST_BYTES) {
      throw new UserError(
        `train tokenizer: the different words of the text must take at most ${MOST_BYTES} bytes; received more, in ${this.size} words. Train on a part of the text`,
      );
    }
    if (this.size === this.ends.length) this.growWords();
    this.ends[this.size] = end;
    this.counts[this.size] = count;
    this.hashes[this.size] = hash;
    this.used = end;
    slots[slot] = ++this.size;
    if (this.size * 2 > slots.length) this.rehash();
  }

  /** Whether word `index` is the one at `used … end`. */
  private isWord(index: number, end: number): boolean {
    const { bytes, ends, used } = this;
    const start = index === 0 ? 0 : ends[index - 1];
    if (ends[index] - start !== end - used) return false;
    for (let i = start, j = used; j < end; i++, j++) if (bytes[i] !== bytes[j]) return false;
    return true;
  }

  private rehash(): void {
    const slots = new Int32Array(this.slots.length * 2);
    const mask = slots.length - 1;
    for (let i = 0; i < this.size; i++) {
      let slot = this.hashes[i] & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = i + 1;
    }
    this.slots = slots;
  }

  private makeRoom(more: number): void {
    if (this.used + more <= this.bytes.length) return;
    const bytes = new Uint8Array(Math.max(Math.ceil(this.bytes.length * 1.5), this.used + more));
    bytes.set(this.bytes);
    this.bytes = bytes;
  }

  private growWords(): void {
    const size = Math.ceil(this.size * 1.5);
    const [ends, counts, hashes] = [new Int32Array(size), new Float64Array(size), new Int32Array(size)];
    ends.set(this.ends);
    counts.set(this.counts);
    hashes.set(this.hashes);
    [this.ends, this.counts, this.hashes] = [ends, counts, hashes];
  }
}

/** FNV-1a, its bits mixed at the end. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
