import { Heap } from './heap.js';

const LONGEST_SCANNED = 96; // symbols; a longer word is merged by queues
const NONE = 0x7fffffff;

/** The merges of a vocabulary, found by their two parts, and the merging of words by them. */
export class Merger {
  private readonly slots: Int32Array; // left, right, rank + 1 (0 where free)
  private readonly mask: number;
  private readonly results: Int32Array; // id that each merge makes, by rank
  private readonly ranks = new Int32Array(LONGEST_SCANNED);

  /**
   * @param merges left and right id of each, first merged first; of one that stands there twice the later counts.
   * @param results the ids that they make.
   */
  constructor(merges: readonly (readonly [number, number])[], results: Int32Array) {
    let size = 8;
    while (size < 2 * merges.length) size *= 2;
    this.slots = new Int32Array(4 * size);
    this.mask = this.slots.length - 4;
    this.results = results;
    merges.forEach(([left, right], rank) => {
      const slot = this.slot(left, right);
      this.slots[slot] = left;
      this.slots[slot + 1] = right;
      this.slots[slot + 2] = rank + 1;
    });
  }

  private slot(left: number, right: number): number {
    const { slots, mask } = this;
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right + 0x7f4a7c15, 0x85ebca6b);
    hash ^= hash >>> 15;
    let slot = (hash << 2) & mask;
    while (slots[slot + 2] !== 0 && (slots[slot] !== left || slots[slot + 1] !== right)) slot = (slot + 4) & mask;
    return slot;
  }

  private rank(left: number, right: number): number {
    return (this.slots[this.slot(left, right) + 2] - 1) & NONE; // -1, where there is no such merge, becomes NONE
  }

  /** Merges the first `n` symbols in place, the pair of lowest rank first, of equals the leftmost, until none is left. Returns how many remain. */
  merge(symbols: Int32Array, n: number): number {
    return n <= LONGEST_SCANNED ? this.mergeByScan(symbols, n) : this.mergeByQueues(symbols, n);
  }

  /** Looks through the whole word each time. */
  mergeByScan(symbols: Int32Array, n: number): number {
    const { ranks } = this;
    for (let i = 0; i + 1 < n; i++) ranks[i] = this.rank(symbols[i], symbols[i + 1]);
    for (;;) {
      let best = 0;
      let lowest = NONE;
      for (let i = 0; i + 1 < n; i++) {
        if (ranks[i] < lowest) {
          lowest = ranks[i];
          best = i;
        }
      }
      if (lowest === NONE) return n;
      symbols[best] = this.results[lowest];
      n--;
      for (let i = best + 1; i < n; i++) {
        symbols[i] = symbols[i + 1];
        ranks[i] = ranks[i + 1];
      }
      if (best > 0) ranks[best - 1] = this.rank(symbols[best - 1], symbols[best]);
      if (best + 1 < n) ranks[best] = this.rank(symbols[best], symbols[best + 1]);
    }
  }

  /** The same for words without bound: the symbols are a linked list, and each rank that occurs has a queue of its places. */
  mergeByQueues(symbols: Int32Array, n: number): number {
    const next = new Int32Array(n);
    const previous = new Int32Array(n);
    for (let i = 0; i < n; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
    }
    const queues = new RankQueues();
    const offer = (i: number) => {
      const rank = this.rank(symbols[i], symbols[next[i]]);
      if (rank !== NONE) queues.add(rank, i);
    };
    for (let i = 0; i + 1 < n; i++) offer(i);
    while (queues.next()) {
      const { rank, place } = queues;
      const second = next[place];
      if (symbols[place] < 0 || second >= n || this.rank(symbols[place], symbols[second]) !== rank) continue; // no longer there
      symbols[place] = this.results[rank];
      symbols[second] = -1;
      const after = next[second];
      next[place] = after;
      if (previous[place] >= 0) offer(previous[place]);
      if (after < n) {
        previous[after] = place;
        offer(place);
      }
    }
    let length = 0;
    for (let i = 0; i < n; i = next[i]) symbols[length++] = symbols[i];
    return length;
  }
}

/** Places by rank, given out lowest rank first, then lowest place: mostly they come in that order, so that a queue is seldom sorted. */
class RankQueues {
  rank = -1;
  place = -1;
  private readonly queues = new Map<number, Queue>();
  private readonly ranks = new Heap<number>((a, b) => a < b); // those that have a queue
  private current: Queue | undefined;

  add(rank: number, place: number): void {
    let queue = this.queues.get(rank);
    if (queue === undefined) {
      queue = new Queue();
      this.queues.set(rank, queue);
      this.ranks.push(rank);
      this.current = undefined; // it may come before the present one
    }
    queue.add(place);
  }

  /** Takes the next place into `rank` and `place`; false when there is none. */
  next(): boolean {
    while (this.current === undefined || this.current.isEmpty()) {
      if (this.current !== undefined) this.queues.delete(this.ranks.pop()!);
      this.rank = this.ranks.peek() ?? -1;
      this.current = this.queues.get(this.rank);
      if (this.current === undefined) return false;
    }
    this.place = this.current.take();
    return true;
  }
}

class Queue {
  private places = new Int32Array(4);
  private first = 0;
  private end = 0;
  private sorted = true;

  isEmpty(): boolean {
    return this.first === this.end;
  }

  add(place: number): void {
    if (this.end === this.places.length) {
      const longer = new Int32Array(2 * this.end);
      longer.set(this.places);
      this.places = longer;
    }
    if (this.end > this.first && place < this.places[this.end - 1]) this.sorted = false;
    this.places[this.end++] = place;
  }

  take(): number {
    if (!this.sorted) {
      this.places.subarray(this.first, this.end).sort();
      this.sorted = true;
    }
    return this.places[this.first++];
  }
}
