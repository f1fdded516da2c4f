/** A list of ids that grows: what an encoder appends to, without an object for each number. */
export class IdList {
  /** Only the first `length` are in the list. */
  ids = new Int32Array(1 << 10);
  length = 0;

  push(id: number): void {
    if (this.length === this.ids.length) this.reserve(1);
    this.ids[this.length++] = id;
  }

  /** Room for `count` more. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.ids.length) return;
    const longer = new Int32Array(Math.max(needed, Math.ceil(1.5 * this.ids.length)));
    longer.set(this.ids.subarray(0, this.length));
    this.ids = longer;
  }

  /** The ids in an array of their own. */
  slice(): Int32Array<ArrayBuffer> {
    return this.ids.slice(0, this.length);
  }
}
