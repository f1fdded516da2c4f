import {
  Binary,
  BinaryView,
  Bool,
  DataType,
  Date_,
  Decimal,
  Dictionary,
  Duration,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float,
  Int,
  Int32,
  Interval,
  LargeBinary,
  LargeList,
  LargeUtf8,
  List,
  Map_,
  Null,
  Schema,
  Struct,
  Time,
  Timestamp,
  Utf8,
  Utf8View,
} from 'apache-arrow';
import { ArrowFault, FlatTable } from './arrow-flatbuffer.js';

/** Where a record batch lies in a file, in bytes. */
export interface Block {
  offset: number;
  metadataLength: number;
  bodyLength: number;
}

const MAX_DEPTH = 64;
const V4 = 3; // MetadataVersion; V5 differs in unions alone

/** A schema, and the types of the values that dictionary-encoded columns point to, by the dictionary's id. */
export interface SchemaAndDictionaries {
  schema: Schema;
  dictionaries: Map<number, DataType>;
}

/**
 * The footer of an Arrow file: its schema, and where its dictionaries and record batches lie.
 * Source: Arrow columnar format 1.5, format/File.fbs and format/Schema.fbs; the numbers of fields are those of the tables there.
 */
export function readFooter(bytes: Uint8Array): SchemaAndDictionaries & { dictionaryBlocks: Block[]; blocks: Block[] } {
  const footer = FlatTable.root(bytes);
  checkVersion(footer.int16(0));
  const blocks = (field: number): Block[] =>
    footer.structs(field, 24).map((block) => ({
      offset: block.count(0),
      metadataLength: block.uint32(8),
      bodyLength: block.count(16),
    }));
  return { ...readSchema(footer.table(1)), dictionaryBlocks: blocks(2), blocks: blocks(3) };
}

export function readSchema(schema: FlatTable | undefined): SchemaAndDictionaries {
  if (schema === undefined) throw new ArrowFault('its schema is missing');
  if (schema.int16(0) !== 0) throw new ArrowFault('its numbers are big-endian');
  const dictionaries = new Map<number, DataType>();
  const fields = [...schema.tables(1)].map((field) => readField(field, '', dictionaries));
  return { schema: new Schema(fields, readMetadata(schema, 2)), dictionaries };
}

export function checkVersion(version: number): void {
  if (version < V4 || version > V4 + 1) throw new ArrowFault(`it is of version ${version + 1} of the format; 4 and 5 are read`);
}

function readMetadata(table: FlatTable, field: number): Map<string, string> {
  return new Map([...table.tables(field)].map((entry) => [entry.string(0), entry.string(1)]));
}

function readField(field: FlatTable, parent: string, dictionaries: Map<number, DataType>, depth = 0): Field {
  if (depth > MAX_DEPTH) throw new ArrowFault(`its columns are nested more than ${MAX_DEPTH} deep`);
  const own = field.string(0);
  const name = parent === '' ? own : `${parent}.${own}`;
  const children = [...field.tables(5)].map((child) => readField(child, name, dictionaries, depth + 1));
  const type = readType(field.int8(2), field.table(3), children, name);
  const encoding = field.table(4);
  const encoded = encoding === undefined ? type : readEncoding(encoding, type, name, dictionaries);
  return new Field(own, encoded, field.int8(1) !== 0, readMetadata(field, 6));
}

function readEncoding(encoding: FlatTable, values: DataType, name: string, dictionaries: Map<number, DataType>): Dictionary {
  const id = encoding.count(0);
  const known = dictionaries.get(id) ?? values;
  if (String(known) !== String(values)) throw new ArrowFault(`the dictionary of the column ${name} is of ${known} and of ${values}`);
  dictionaries.set(id, known);
  const indices = encoding.table(1);
  const index = indices === undefined ? new Int32() : readType(2, indices, [], name);
  return new Dictionary(known, index as Int32, id, encoding.int8(2) !== 0);
}

const WAY_OUT = 'Write it as utf8, numbers, lists or structures, or leave it out';

/** @param number of the type in format/Schema.fbs. */
function readType(number: number, table: FlatTable | undefined, children: Field[], name: string): DataType {
  const unread = (what: string) => new ArrowFault(`the column ${name} is of ${what}, which is not read`, WAY_OUT);
  const int32 = (field: number, absent = 0) => table?.int32(field, absent) ?? absent;
  const unit = (units: number, absent = 0) => {
    const value = table?.int16(0, absent) ?? absent;
    if (value < 0 || value >= units) throw unread(`a unit with the number ${value}`);
    return value;
  };
  const width = (field: number, widths: readonly number[], absent = 0) => {
    const bits = int32(field, absent);
    if (!widths.includes(bits)) throw unread(`${bits} bits`);
    return bits as 32 & 64;
  };
  const size = () => {
    if (int32(0) < 0) throw unread(`a size of ${int32(0)}`);
    return int32(0);
  };
  const child = () => {
    if (children.length !== 1) throw new ArrowFault(`the list ${name} is of ${children.length} columns`);
    return children[0];
  };
  switch (number) {
    case 1:
      return new Null();
    case 2:
      return new Int((table?.int8(1) ?? 0) !== 0, width(0, [8, 16, 32, 64]));
    case 3:
      return new Float(unit(3));
    case 4:
      return new Binary();
    case 5:
      return new Utf8();
    case 6:
      return new Bool();
    case 7:
      return new Decimal(int32(1), int32(0), width(2, [128, 256], 128));
    case 8:
      return new Date_(unit(2, 1));
    case 9:
      return new Time(unit(4, 1), width(1, [32, 64], 32));
    case 10:
      return new Timestamp(unit(4), table?.string(1) || null);
    case 11:
      return new Interval(unit(3));
    case 12:
      return new List(child());
    case 13:
      return new Struct(children);
    case 15:
      return new FixedSizeBinary(size());
    case 16:
      return new FixedSizeList(size(), child());
    case 18:
      return new Duration(unit(4, 1));
    case 19:
      return new LargeBinary();
    case 20:
      return new LargeUtf8();
    case 21:
      return new LargeList(child());
    case 17: {
      const entries = child();
      if (!DataType.isStruct(entries.type) || entries.type.children.length !== 2) throw unread('maps without keys or values');
      return new Map_(entries as never, (table?.int8(0) ?? 0) !== 0);
    }
    case 23:
      return new BinaryView();
    case 24:
      return new Utf8View();
    default:
      throw unread({ 14: 'unions', 22: 'runs', 25: 'list views', 26: 'list views' }[number] ?? `a type with the number ${number}`);
  }
}
