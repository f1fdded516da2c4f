import {
  type Data,
  DataType,
  DateUnit,
  type Dictionary,
  Field,
  type FixedSizeBinary,
  type FixedSizeList,
  IntervalUnit,
  makeData,
  Precision,
  RecordBatch,
  type Schema,
  Struct,
  type Utf8,
  Vector,
} from 'apache-arrow';
import { Buffers } from './arrow-buffers.js';
import { ArrowFault, type FlatStruct, FlatTable } from './arrow-flatbuffer.js';
import { checkVersion } from './arrow-schema.js';

/** The values that dictionary-encoded columns point to, by the dictionary's id. */
export type Dictionaries = Map<number, Vector>;

/** What a message holds. */
export const MESSAGE = { schema: 1, dictionary: 2, recordBatch: 3 } as const;

/** A message without its body. */
export interface Message {
  kind: number;
  header: FlatTable;
  /** Bytes of the body behind it. */
  bodyLength: number;
}

export function readMessage(metadata: Uint8Array): Message {
  const message = FlatTable.root(metadata);
  checkVersion(message.int16(0));
  const header = message.table(2);
  if (header === undefined) throw new ArrowFault('a message is empty');
  return { kind: message.int8(1), header, bodyLength: message.count(3) };
}

/**
 * A record batch from its message and the bytes of its body; the columns are views of the body. What the batch says of its rows is
 * compared with the bytes that are there: lengths, nulls, and that offsets only grow and end within what they point to.
 * Source: Arrow columnar format 1.5, "Recommended IPC file format" and format/Message.fbs.
 */
export function readBatch(schema: Schema, message: Message, body: Uint8Array<ArrayBuffer>, dictionaries: Dictionaries): RecordBatch {
  if (message.kind !== MESSAGE.recordBatch) throw new ArrowFault('a record batch is missing');
  if (message.bodyLength > body.length) throw new ArrowFault('a record batch reaches out of its place');
  const length = message.header.count(0);
  const children = readColumns(message.header, schema.fields, body, dictionaries);
  for (const [i, child] of children.entries()) {
    if (child.length !== length) throw fault(schema.fields[i].name, `${child.length} rows in a record batch of ${length}`);
  }
  if (children.length === 0 && length > 0) throw new ArrowFault('it has rows and no columns');
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }));
}

/** Adds a dictionary to `dictionaries`: in place of the one before, or behind it. */
export function readDictionary(
  types: ReadonlyMap<number, DataType>,
  message: Message,
  body: Uint8Array<ArrayBuffer>,
  dictionaries: Dictionaries,
): void {
  const id = message.header.count(0);
  const header = message.header.table(1);
  const type = types.get(id);
  if (message.kind !== MESSAGE.dictionary || header === undefined || type === undefined) throw new ArrowFault('a dictionary is missing');
  if (message.bodyLength > body.length) throw new ArrowFault('a dictionary reaches out of its place');
  const [values] = readColumns(header, [new Field('', type, true)], body, dictionaries);
  const before = message.header.int8(2) !== 0 ? (dictionaries.get(id)?.data ?? []) : [];
  dictionaries.set(id, new Vector([...before, values]));
}

function readColumns(header: FlatTable, fields: readonly Field[], body: Uint8Array<ArrayBuffer>, dictionaries: Dictionaries): Data[] {
  const columns = new Columns(header, new Buffers(header, body), dictionaries);
  const children = fields.map(({ name, type }) => columns.next(type, name));
  columns.finish();
  return children;
}

function fault(name: string, what: string): ArrowFault {
  return new ArrowFault(`the column ${name} has ${what}`);
}

/** Takes the nodes and buffers of a batch in their order: those of a column, then those of the columns in it. */
class Columns {
  private readonly nodes: readonly FlatStruct[];
  /** Numbers of buffers that columns of views have beside the views. */
  private readonly viewed: readonly FlatStruct[];
  private node = 0;
  private view = 0;

  constructor(
    header: FlatTable,
    private readonly buffers: Buffers,
    private readonly dictionaries: Dictionaries,
  ) {
    this.nodes = header.structs(1, 16);
    this.viewed = header.structs(4, 8);
  }

  /** All of the batch must have been taken. */
  finish(): void {
    if (this.node < this.nodes.length) throw new ArrowFault('a record batch has more columns than the schema');
    this.buffers.finish();
  }

  next(type: DataType, name: string): Data {
    const node = this.nodes[this.node++];
    if (node === undefined) throw new ArrowFault('a record batch has fewer columns than the schema');
    const length = node.count(0);
    // A row takes a bit at the least, so that what goes through rows cannot be made to do so for ever.
    if (length > 8 * this.buffers.size) throw fault(name, `${length} rows in ${this.buffers.size} bytes`);
    if (DataType.isNull(type)) return makeData({ type, length });
    const { nullBitmap, nullCount } = this.nulls(name, length, node.count(8));
    const shared: Shared = { length, nullCount, nullBitmap };
    if (DataType.isDictionary(type)) return this.encoded(type, name, shared);
    if (DataType.isUtf8View(type) || DataType.isBinaryView(type)) return this.views(type, name, shared);
    if (DataType.isUtf8(type) || DataType.isBinary(type)) {
      const valueOffsets = this.offsets(name, length);
      return makeData({ ...shared, type: type as never, valueOffsets, data: this.buffers.next(name, valueOffsets[length]) });
    }
    if (DataType.isLargeUtf8(type) || DataType.isLargeBinary(type)) {
      const valueOffsets = this.largeOffsets(name, length);
      return makeData({ ...shared, type: type as never, valueOffsets, data: this.buffers.next(name, Number(valueOffsets[length])) });
    }
    if (DataType.isList(type) || DataType.isMap(type) || DataType.isLargeList(type)) {
      const valueOffsets = DataType.isLargeList(type) ? this.largeOffsets(name, length) : this.offsets(name, length);
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
    return makeData({ ...shared, type: type as never, data: this.buffers.next(name, Math.ceil(bits / 8)) });
  }

  /** Indices into a dictionary; those of nulls may be anything. */
  private encoded(type: Dictionary, name: string, shared: Shared): Data {
    const dictionary = this.dictionaries.get(type.id) ?? new Vector([makeData({ type: type.dictionary as Utf8 })]);
    const bytes = this.buffers.next(name, (shared.length * type.indices.bitWidth) / 8);
    const data = makeData({ ...shared, type, data: bytes as never, dictionary: dictionary as never });
    for (let i = 0; i < shared.length; i++) {
      const index = data.values[i];
      if ((index < 0 || index >= dictionary.length) && isValid(shared, i)) throw fault(name, 'values that are not in its dictionary');
    }
    return data;
  }

  /** Views of 16 bytes: the length, then up to 12 bytes of the value, or its beginning and its buffer and place. Source: "Variable-size Binary View Layout". */
  private views(type: DataType, name: string, shared: Shared): Data {
    const views = this.buffers.next(name, 16 * shared.length);
    const count = this.viewed[this.view++]?.count(0) ?? 0;
    const variadicBuffers: Uint8Array[] = [];
    for (let i = 0; i < count; i++) variadicBuffers.push(this.buffers.whole());
    const numbers = new Int32Array(views.buffer, views.byteOffset, 4 * shared.length);
    for (let i = 0; i < shared.length; i++) {
      const [length, buffer, offset] = [numbers[4 * i], numbers[4 * i + 2], numbers[4 * i + 3]];
      const inside = length >= 0 && (length <= 12 || (offset >= 0 && offset + length <= (variadicBuffers[buffer]?.length ?? 0)));
      if (!inside && isValid(shared, i)) throw fault(name, 'a value that is not where it should be');
    }
    return makeData({ ...shared, type: type as never, views: views as never, variadicBuffers: variadicBuffers as never });
  }

  private nulls(name: string, length: number, nullCount: number): { nullCount: number; nullBitmap: Uint8Array } {
    const bitmap = this.buffers.next(name, nullCount > 0 ? Math.ceil(length / 8) : 0);
    if (nullCount > 0 && length - onesIn(bitmap, length) !== nullCount) throw fault(name, `other nulls than the ${nullCount} it speaks of`);
    return { nullCount, nullBitmap: bitmap };
  }

  private offsets(name: string, length: number): Int32Array {
    if (length === 0) return this.noOffsets(new Int32Array(1));
    const { buffer, byteOffset } = this.buffers.next(name, 4 * (length + 1));
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
    const { buffer, byteOffset } = this.buffers.next(name, 8 * (length + 1));
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
    this.buffers.whole();
    return offsets;
  }
}

interface Shared {
  length: number;
  nullCount: number;
  nullBitmap: Uint8Array;
}

function isValid({ nullCount, nullBitmap }: Shared, i: number): boolean {
  return nullCount === 0 || ((nullBitmap[i >> 3] >> (i & 7)) & 1) === 1;
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
