import { type DataType, type List, type RecordBatch, DataType as Types, type Vector } from 'apache-arrow';

/** A type in the spelling of the formats' description: `list<struct<role: utf8, content: utf8>>`. */
export function typeName(type: DataType): string {
  const of = (fields: readonly { name: string; type: DataType; nullable: boolean }[]) =>
    fields.map((field) => `${field.name}: ${typeName(field.type)}`).join(', ');
  if (Types.isList(type) || Types.isLargeList(type)) return `list<${typeName(type.children[0].type)}>`;
  if (Types.isFixedSizeList(type)) return `list<${typeName(type.children[0].type)}>[${type.listSize}]`;
  if (Types.isStruct(type)) return `struct<${of(type.children)}>`;
  return String(type).toLowerCase();
}

/** Whether a column holds text. */
export function isText(type: DataType | undefined): boolean {
  return type !== undefined && (Types.isUtf8(type) || Types.isLargeUtf8(type));
}

/** Whether a column holds lists of whole numbers of at most 32 bits. */
export function isIds(type: DataType | undefined): boolean {
  if (type === undefined || !(Types.isList(type) || Types.isLargeList(type))) return false;
  const item = (type as List).valueType;
  return Types.isInt(item) && item.bitWidth <= 32;
}

/** Whether a column holds one whole number a row. */
export function isWhole(type: DataType | undefined): boolean {
  return type !== undefined && Types.isInt(type);
}

/** Whether a column holds one number a row. */
export function isNumber(type: DataType | undefined): boolean {
  return type !== undefined && (Types.isInt(type) || Types.isFloat(type));
}

/** Whether a column holds lists of true and false. */
export function isMask(type: DataType | undefined): boolean {
  return type !== undefined && (Types.isList(type) || Types.isLargeList(type)) && Types.isBool((type as List).valueType);
}

/** The column `name` of a batch, if `test` holds for its type. */
export function columnOf(batch: RecordBatch, name: string, test: (type: DataType | undefined) => boolean): Vector | undefined {
  const column = batch.getChild(name) ?? undefined;
  return test(column?.type) ? column : undefined;
}

/** Length of a row of a text (bytes) or list (items) column. */
export function lengthsOf(column: Vector): (row: number) => number {
  const offsets: ArrayLike<number | bigint> = column.data[0].valueOffsets;
  return (row) => Number(offsets[row + 1]) - Number(offsets[row]);
}

/** Characters (code points) in the rows from..to of a text column. */
export function charactersIn(column: Vector, from: number, to: number): number {
  const { values, valueOffsets } = column.data[0];
  const end = Number(valueOffsets[to]);
  let characters = 0;
  for (let i = Number(valueOffsets[from]); i < end; i++) if ((values[i] & 0xc0) !== 0x80) characters++; // all but the bytes that go on
  return characters;
}

/** How many items of the lists of a mask's rows from..to are true. */
export function onesIn(mask: Vector, from: number, to: number): number {
  const { children, valueOffsets } = mask.data[0];
  const bits = children[0].values as Uint8Array;
  const end = Number(valueOffsets[to]);
  let ones = 0;
  for (let i = Number(valueOffsets[from]); i < end; i++) ones += (bits[i >> 3] >> (i & 7)) & 1;
  return ones;
}

/** Texts of a column by row; equal neighbours, such as names of sources, are decoded once. A null is undefined. */
export function namesOf(column: Vector): (row: number) => string | undefined {
  const { values, valueOffsets } = column.data[0];
  let last = -1;
  let name = '';
  return (row) => {
    if (column.nullCount > 0 && !column.isValid(row)) return undefined;
    const [from, to] = [Number(valueOffsets[row]), Number(valueOffsets[row + 1])];
    if (last < 0 || !equalBytes(values, Number(valueOffsets[last]), Number(valueOffsets[last + 1]), from, to)) name = column.get(row);
    last = row;
    return name;
  };
}

function equalBytes(values: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean {
  if (aEnd - a !== bEnd - b) return false;
  for (; a < aEnd; a++, b++) if (values[a] !== values[b]) return false;
  return true;
}
