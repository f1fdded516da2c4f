import { mix, powerOfTwo } from '../../util/hashing.js';

/** Counts 32-bit numbers. Clearing costs nothing, so that one counter serves document after document. */
export class Counter {
  private keys = new Int32Array(1 << 10);
  private counts = new Int32Array(1 << 10);
  /** Round in which a place was last used. */
  private rounds = new Uint32Array(1 << 10);
  private round = 0;
  private mask = 0;

  /** Forgets everything and makes room for so many different numbers. */
  clear(capacity: number): void {
    const size = Math.max(1 << 6, powerOfTwo(2 * capacity));
    if (size > this.keys.length || this.round === 0xffffffff || (this.keys.length > 1 << 22 && size < 1 << 16)) {
      this.keys = new Int32Array(size);
      this.counts = new Int32Array(size);
      this.rounds = new Uint32Array(size);
      this.round = 0;
    }
    this.round++;
    this.mask = size - 1;
  }

  /** Counts one more `key`, and says how many there are now. */
  add(key: number): number {
    const { keys, counts, rounds, round, mask } = this;
    let place = mix(key) & mask;
    while (rounds[place] === round) {
      if (keys[place] === key) return ++counts[place];
      place = (place + 1) & mask;
    }
    rounds[place] = round;
    keys[place] = key;
    counts[place] = 1;
    return 1;
  }
}
