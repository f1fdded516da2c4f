/** Different words in the order in which they were first seen, each found by its bytes: a hash table in typed arrays. */
export class WordTable {
  /** Number of words. */
  size = 0;
  private slots = new Int32Array(2 << 12); // hash and number of the word + 1, 0 where free
  private ends = new Int32Array(1 << 11); // by number: where its bytes end in `bytes`
  private bytes = new Uint8Array(1 << 14);

  /** The number of the word `text[start … end)`: `size` as it was before, where it is a new one. */
  numberOf(text: Uint8Array, start: number, end: number): number {
    let hash = end - start;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ text[i], 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash ^= hash >>> 13;
    const { slots } = this;
    const mask = slots.length - 2;
    let slot = (hash << 1) & mask;
    for (; slots[slot + 1] !== 0; slot = (slot + 2) & mask) {
      if (slots[slot] === hash && this.equals(slots[slot + 1] - 1, text, start, end)) return slots[slot + 1] - 1;
    }
    slots[slot] = hash;
    slots[slot + 1] = this.size + 1;
    return this.add(text, start, end);
  }

  private equals(word: number, text: Uint8Array, start: number, end: number): boolean {
    const { bytes, ends } = this;
    let at = word === 0 ? 0 : ends[word - 1];
    if (ends[word] - at !== end - start) return false;
    for (let i = start; i < end; i++, at++) if (bytes[at] !== text[i]) return false;
    return true;
  }

  private add(text: Uint8Array, start: number, end: number): number {
    const word = this.size++;
    const from = word === 0 ? 0 : this.ends[word - 1];
    const to = from + end - start;
    if (word === this.ends.length) this.ends = grown(this.ends, 2 * word);
    if (to > this.bytes.length) this.bytes = grown(this.bytes, 2 * to);
    for (let i = start, at = from; i < end; i++, at++) this.bytes[at] = text[i];
    this.ends[word] = to;
    if (4 * this.size > this.slots.length) this.rehash();
    return word;
  }

  private rehash(): void {
    const old = this.slots;
    const slots = new Int32Array(2 * old.length);
    const mask = slots.length - 2;
    for (let from = 0; from < old.length; from += 2) {
      if (old[from + 1] === 0) continue;
      let slot = (old[from] << 1) & mask;
      while (slots[slot + 1] !== 0) slot = (slot + 2) & mask;
      slots[slot] = old[from];
      slots[slot + 1] = old[from + 1];
    }
    this.slots = slots;
  }

  /** The bytes of a word, as a view that holds until the next word is added. */
  word(number: number): Uint8Array {
    return this.bytes.subarray(number === 0 ? 0 : this.ends[number - 1], this.ends[number]);
  }

  /** Copies of the bytes of all words, one after another, and of where each ends. */
  packed(): { bytes: Uint8Array<ArrayBuffer>; ends: Int32Array<ArrayBuffer> } {
    const ends = this.ends.slice(0, this.size);
    return { bytes: this.bytes.slice(0, ends.at(-1) ?? 0), ends };
  }

  clear(): void {
    this.slots.fill(0);
    this.size = 0;
  }
}

/** A longer copy of a typed array. */
export function grown<T extends Int32Array | Uint8Array>(array: T, length: number): T {
  const copy = new (array.constructor as new (length: number) => T)(length);
  copy.set(array);
  return copy;
}
