/**
 * Pairs of tokens that may be merged: how often each occurs, and its places in a shared arena. The most frequent comes out first; of two
 * equally frequent, the one with the smaller ids.
 */
export class PairTable {
  size = 0;
  left = new Int32Array(1 << 12);
  right = new Int32Array(1 << 12);
  count = new Float64Array(1 << 12);
  /** Place of each pair's list in the arena, and its length. */
  start = new Int32Array(1 << 12);
  length = new Int32Array(1 << 12);

  private heap = new Int32Array(1 << 12);
  private queued = new Float64Array(1 << 12); // count with which each entry of the heap was pushed
  private waiting = 0;

  add(left: number, right: number, count: number, start: number, length: number): number {
    if (this.size === this.left.length) {
      for (const name of ['left', 'right', 'start', 'length'] as const) this[name] = doubled(this[name], Int32Array);
      this.count = doubled(this.count, Float64Array);
    }
    const pair = this.size++;
    this.left[pair] = left;
    this.right[pair] = right;
    this.count[pair] = count;
    this.start[pair] = start;
    this.length[pair] = length;
    this.push(pair);
    return pair;
  }

  /** Takes out the pair of highest count; -1 where none is left that occurs `minimum` times. Counts may have fallen since `add`. */
  pop(minimum: number): number {
    while (this.waiting > 0) {
      const pair = this.heap[0];
      const fresh = this.queued[0] === this.count[pair];
      this.removeTop();
      if (fresh && this.count[pair] >= minimum) return pair;
      if (this.count[pair] >= minimum) this.push(pair);
    }
    return -1;
  }

  private before(pair: number, count: number, other: number, otherCount: number): boolean {
    if (count !== otherCount) return count > otherCount;
    const { left, right } = this;
    return left[pair] < left[other] || (left[pair] === left[other] && right[pair] < right[other]);
  }

  private push(pair: number): void {
    if (this.waiting === this.heap.length) {
      this.heap = doubled(this.heap, Int32Array);
      this.queued = doubled(this.queued, Float64Array);
    }
    const { heap, queued } = this;
    const count = this.count[pair];
    let i = this.waiting++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.before(pair, count, heap[parent], queued[parent])) break;
      heap[i] = heap[parent];
      queued[i] = queued[parent];
      i = parent;
    }
    heap[i] = pair;
    queued[i] = count;
  }

  private removeTop(): void {
    const { heap, queued } = this;
    const n = --this.waiting;
    const pair = heap[n];
    const count = queued[n];
    let i = 0;
    for (let child = 1; child < n; child = 2 * i + 1) {
      if (child + 1 < n && this.before(heap[child + 1], queued[child + 1], heap[child], queued[child])) child++;
      if (!this.before(heap[child], queued[child], pair, count)) break;
      heap[i] = heap[child];
      queued[i] = queued[child];
      i = child;
    }
    heap[i] = pair;
    queued[i] = count;
  }
}

function doubled<T extends Int32Array | Float64Array>(array: T, type: new (length: number) => T): T {
  const made = new type(array.length * 2);
  made.set(array);
  return made;
}
