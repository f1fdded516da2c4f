/** A set of numbers from 0 on, a bit for each. */
export class BitSet {
  private words = new Uint32Array(1 << 10);

  add(n: number): void {
    if (n >>> 5 >= this.words.length) {
      const larger = new Uint32Array(2 * Math.max(this.words.length, (n >>> 5) + 1));
      larger.set(this.words);
      this.words = larger;
    }
    this.words[n >>> 5] |= 1 << (n & 31);
  }

  has(n: number): boolean {
    return n >>> 5 < this.words.length && (this.words[n >>> 5] & (1 << (n & 31))) !== 0;
  }

  /** The smallest member that is at least `n`; -1 = there is none. */
  next(n: number): number {
    for (let word = n >>> 5; word < this.words.length; word++) {
      const bits = word === n >>> 5 ? this.words[word] & (-1 << (n & 31)) : this.words[word];
      if (bits !== 0) return 32 * word + 31 - Math.clz32(bits & -bits);
    }
    return -1;
  }

  /** The member that has `k` smaller ones; -1 = there is none. */
  select(k: number): number {
    for (let word = 0; word < this.words.length; word++) {
      let bits = this.words[word];
      const count = population(bits);
      if (k >= count) {
        k -= count;
        continue;
      }
      while (k-- > 0) bits &= bits - 1;
      return 32 * word + 31 - Math.clz32(bits & -bits);
    }
    return -1;
  }
}

/** Bits that are 1. Source: Warren 2012, Hacker's Delight, figure 5-2. */
function population(x: number): number {
  x -= (x >>> 1) & 0x55555555;
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  x = (x + (x >>> 4)) & 0x0f0f0f0f;
  return Math.imul(x, 0x01010101) >>> 24;
}
