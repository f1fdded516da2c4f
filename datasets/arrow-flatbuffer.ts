/** What is wrong with the bytes of an Arrow file, and what to do; the file is named by who reads it. */
export class ArrowFault extends Error {
  constructor(
    reason: string,
    readonly wayOut = 'It may be damaged: make it again, or bring another copy',
  ) {
    super(reason);
  }
}

/** An element of a vector of structures; a place is in bytes from its beginning. */
export interface FlatStruct {
  uint32(place: number): number;
  /** A 64-bit number of bytes or rows: negative, or too large to be exact, it is an error. */
  count(place: number): number;
}

const utf8 = new TextDecoder();

/**
 * A table of a FlatBuffer, read without trust: what points out of the bytes is an error, and so is a buffer in which tables that share
 * what they point to would be read more often than its size allows (a cycle, or sharing at each of many levels).
 * Source: FlatBuffers documentation, "FlatBuffer Internals".
 */
export class FlatTable {
  private readonly fields: number;
  private readonly vtable: number;
  private readonly size: number;

  private constructor(
    private readonly bytes: Uint8Array,
    private readonly view: DataView,
    private readonly position: number,
    private readonly work: { left: number },
  ) {
    this.require(position, 4);
    this.vtable = position - view.getInt32(position, true);
    this.require(this.vtable, 4);
    const vtableSize = view.getUint16(this.vtable, true);
    this.require(this.vtable, Math.max(4, vtableSize));
    this.fields = (vtableSize - 4) >> 1;
    this.size = view.getUint16(this.vtable + 2, true);
    this.require(position, Math.max(4, this.size));
    this.spend(4);
  }

  /** The table that a buffer begins with. */
  static root(bytes: Uint8Array): FlatTable {
    if (bytes.length < 8) throw new ArrowFault('its metadata are cut short');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(bytes, view, view.getUint32(0, true), { left: 64 * bytes.length + 65536 });
  }

  int8(field: number): number {
    const at = this.at(field, 1);
    return at === 0 ? 0 : this.view.getInt8(at);
  }

  int16(field: number, absent = 0): number {
    const at = this.at(field, 2);
    return at === 0 ? absent : this.view.getInt16(at, true);
  }

  int32(field: number, absent = 0): number {
    const at = this.at(field, 4);
    return at === 0 ? absent : this.view.getInt32(at, true);
  }

  /** As that of a structure. */
  count(field: number): number {
    const at = this.at(field, 8);
    return at === 0 ? 0 : this.countAt(at);
  }

  table(field: number): FlatTable | undefined {
    const at = this.at(field, 4);
    return at === 0 ? undefined : this.tableAt(at);
  }

  string(field: number): string {
    const [start, length] = this.vector(field, 1);
    return length === 0 ? '' : utf8.decode(this.bytes.subarray(start, start + length));
  }

  /** The tables of a vector. */
  *tables(field: number): Generator<FlatTable> {
    const [start, length] = this.vector(field, 4);
    for (let i = 0; i < length; i++) yield this.tableAt(start + 4 * i);
  }

  /** The structures of `size` bytes in a vector. */
  structs(field: number, size: number): FlatStruct[] {
    const [start, length] = this.vector(field, size);
    return Array.from({ length }, (_, i) => ({
      uint32: (place) => this.view.getUint32(start + size * i + place, true),
      count: (place) => this.countAt(start + size * i + place),
    }));
  }

  private tableAt(at: number): FlatTable {
    return new FlatTable(this.bytes, this.view, at + this.view.getUint32(at, true), this.work);
  }

  private countAt(at: number): number {
    const high = this.view.getInt32(at + 4, true);
    if (high < 0 || high >= 0x200000) throw new ArrowFault('a length or a place in it is out of range');
    return high * 2 ** 32 + this.view.getUint32(at, true);
  }

  private vector(field: number, size: number): [start: number, length: number] {
    const at = this.at(field, 4);
    if (at === 0) return [0, 0];
    const start = at + this.view.getUint32(at, true);
    this.require(start, 4);
    const length = this.view.getUint32(start, true);
    this.require(start + 4, length * size);
    this.spend(length * size);
    return [start + 4, length];
  }

  /** Where a field of `size` bytes stands; 0 = absent. */
  private at(field: number, size: number): number {
    const offset = field < this.fields ? this.view.getUint16(this.vtable + 4 + 2 * field, true) : 0;
    if (offset === 0) return 0;
    if (offset < 4 || offset + size > this.size) throw new ArrowFault('its metadata point out of a table');
    return this.position + offset;
  }

  private require(at: number, size: number): void {
    if (at < 0 || at + size > this.bytes.length) throw new ArrowFault('its metadata point out of themselves');
  }

  private spend(bytes: number): void {
    this.work.left -= bytes;
    if (this.work.left < 0) throw new ArrowFault('its metadata point back into themselves');
  }
}
