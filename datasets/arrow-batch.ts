import {
  type Data,
  DataType,
  DateUnit,
  type FixedSizeBinary,
  type FixedSizeList,
  IntervalUnit,
  makeData,
  Precision,
  RecordBatch,
  type Schema,
  Struct,
} from 'apache-arrow';
import { ArrowFault, type FlatStruct, FlatTable } from './arrow-flatbuffer.js';
import { checkVersion } from './arrow-schema.js';

const RECORD_BATCH = 3; // MessageHeader

/**
 * A record batch from the bytes of its message and of its body; the columns are views of the body. What the batch says of its rows is
 * compared with the bytes that are there: lengths, nulls, and that offsets only grow and end within what they point to.
 * Source: Arrow columnar format 1.5, "Recommended IPC file format" and format/Message.fbs.
 */
export function readBatch(schema: Schema, metadata: Uint8Array, body: Uint8Array<ArrayBuffer>): RecordBatch {
  const message = FlatTable.root(metadata);
  checkVersion(message.int16(0));
  const header = message.table(2);
  if (message.int8(1) !== RECORD_BATCH || header === undefined) throw new ArrowFault('a record batch is missing');
  if (message.count(3) > body.length) throw new ArrowFault('a record batch reaches out of its place');
  if (header.table(3) !== undefined) throw new ArrowFault('its record batches are compressed', 'Write it without compression');
  const length = header.count(0);
  const columns = new Columns(header.structs(1, 16), header.structs(2, 16), body);
  const children = schema.fields.map(({ name, type }) => columns.next(type, name));
  columns.finish();
  for (const [i, child] of children.entries()) {
    if (child.length !== length) throw fault(schema.fields[i].name, `${child.length} rows in a record batch of ${length}`);
  }
  if (children.length === 0 && length > 0) throw new ArrowFault('it has rows and no columns');
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }));
}

function fault(name: string, what: string): ArrowFault {
  return new ArrowFault(`the column ${name} has ${what}`);
}

/** Takes the nodes and buffers of a batch in their order: those of a column, then those of the columns in it. */
class Columns {
  private node = 0;
  private buffer = 0;

  constructor(
    private readonly nodes: readonly FlatStruct[],
    private readonly buffers: readonly FlatStruct[],
    private readonly body: Uint8Array<ArrayBuffer>,
  ) {}

  /** All of the batch must have been taken. */
  finish(): void {
    if (this.node === this.nodes.length && this.buffer === this.buffers.length) return;
    throw new ArrowFault('a record batch has other columns than the schema');
  }

  next(type: DataType, name: string): Data {
    const node = this.nodes[this.node++];
    if (node === undefined) throw new ArrowFault('a record batch has fewer columns than the schema');
    const length = node.count(0);
    // A row takes a bit at the least, so that what goes through rows cannot be made to do so for ever.
    if (length > 8 * this.body.length) throw fault(name, `${length} rows in ${this.body.length} bytes`);
    if (DataType.isNull(type)) return makeData({ type, length });
    const { nullBitmap, nullCount } = this.nulls(name, length, node.count(8));
    const shared = { length, nullCount, nullBitmap };
    if (DataType.isUtf8(type) || DataType.isBinary(type)) {
      const valueOffsets = this.offsets(name, length);
      return makeData({ ...shared, type: type as never, valueOffsets, data: this.values(name, valueOffsets[length]) });
    }
    if (DataType.isLargeUtf8(type) || DataType.isLargeBinary(type)) {
      const valueOffsets = this.largeOffsets(name, length);
      return makeData({ ...shared, type: type as never, valueOffsets, data: this.values(name, Number(valueOffsets[length])) });
    }
    if (DataType.isList(type) || DataType.isLargeList(type)) {
      const valueOffsets = DataType.isList(type) ? this.offsets(name, length) : this.largeOffsets(name, length);
      const child = this.next(type.children[0].type, `${name}.${type.children[0].name}`);
      if (valueOffsets[length] > child.length) throw fault(name, 'lists that end beyond their values');
      return makeData({ ...shared, type: type as never, valueOffsets: valueOffsets as never, child });
    }
    if (DataType.isFixedSizeList(type)) {
      const child = this.next(type.children[0].type, `${name}.${type.children[0].name}`);
      if (length * (type as FixedSizeList).listSize > child.length) throw fault(name, 'lists that end beyond their values');
      return makeData({ ...shared, type: type as FixedSizeList, child });
    }
    if (DataType.isStruct(type)) {
      const children = type.children.map((field) => this.next(field.type, `${name}.${field.name}`));
      if (children.some((child) => child.length < length)) throw fault(name, 'fewer values than rows');
      return makeData({ ...shared, type, children });
    }
    const bits = length * bitWidth(type);
    return makeData({ ...shared, type: type as never, data: this.values(name, Math.ceil(bits / 8)) });
  }

  /** The bytes of the next buffer, at least `needed` of them. */
  private values(name: string, needed: number): Uint8Array<ArrayBuffer> {
    const region = this.buffers[this.buffer++];
    if (region === undefined) throw new ArrowFault('a record batch has fewer columns than the schema');
    const [offset, length] = [region.count(0), region.count(8)];
    if (offset + length > this.body.length) throw fault(name, 'bytes out of the place of its record batch');
    if (length < needed) throw fault(name, `${length} bytes where it needs ${needed}`);
    if (offset % 8 !== 0 && length > 0) throw fault(name, `bytes at ${offset}, which is no multiple of 8`);
    return this.body.subarray(offset, offset + needed);
  }

  private nulls(name: string, length: number, nullCount: number): { nullCount: number; nullBitmap: Uint8Array } {
    const bitmap = this.values(name, nullCount > 0 ? Math.ceil(length / 8) : 0);
    if (nullCount > 0 && length - onesIn(bitmap, length) !== nullCount) throw fault(name, `other nulls than the ${nullCount} it speaks of`);
    return { nullCount, nullBitmap: bitmap };
  }

  private offsets(name: string, length: number): Int32Array {
    if (length === 0) return this.noOffsets(new Int32Array(1));
    const { buffer, byteOffset } = this.values(name, 4 * (length + 1));
    const offsets = new Int32Array(buffer, byteOffset, length + 1);
    let before = 0;
    for (const offset of offsets) {
      if (offset < before) throw fault(name, 'offsets that fall');
      before = offset;
    }
    return offsets;
  }

  private largeOffsets(name: string, length: number): BigInt64Array {
    if (length === 0) return this.noOffsets(new BigInt64Array(1));
    const { buffer, byteOffset } = this.values(name, 8 * (length + 1));
    const offsets = new BigInt64Array(buffer, byteOffset, length + 1);
    let before = 0n;
    for (const offset of offsets) {
      if (offset < before) throw fault(name, 'offsets that fall');
      before = offset;
    }
    return offsets;
  }

  /** Without rows there may be no offsets, not even the first. */
  private noOffsets<T>(offsets: T): T {
    this.values('', 0);
    return offsets;
  }
}

function onesIn(bitmap: Uint8Array, length: number): number {
  let ones = 0;
  for (let i = 0; i < length; i++) ones += (bitmap[i >> 3] >> (i & 7)) & 1;
  return ones;
}

/** Bits that a value takes. */
function bitWidth(type: DataType): number {
  if (DataType.isBool(type)) return 1;
  if (DataType.isInt(type) || DataType.isTime(type) || DataType.isDecimal(type)) return type.bitWidth;
  if (DataType.isFloat(type)) return { [Precision.HALF]: 16, [Precision.SINGLE]: 32, [Precision.DOUBLE]: 64 }[type.precision];
  if (DataType.isFixedSizeBinary(type)) return 8 * (type as FixedSizeBinary).byteWidth;
  if (DataType.isDate(type)) return type.unit === DateUnit.DAY ? 32 : 64;
  if (DataType.isInterval(type)) return type.unit === IntervalUnit.YEAR_MONTH ? 32 : type.unit === IntervalUnit.DAY_TIME ? 64 : 128;
  return 64; // timestamps and durations
}
