import type { AsyncBuffer, ColumnMetaData, Compressors, RowGroup, SchemaTree } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { Unreadable } from './bytes.js';

/** Of a row group; it is in memory at once. */
const MAX_VALUES = 1e8;

/** Highest levels of a column: how many of its parents and itself may be missing, and how many repeat. */
interface Levels {
  definition: number;
  repetition: number;
}

interface Page {
  values: number;
  encoding: string;
  /** Of a page whose levels are compressed with its values. */
  levels?: Levels;
}

/**
 * Stands between a Parquet file and hyparquet, which believes what it reads: a page's size below 0 would lead it back for ever, and a run or a
 * page of 2³¹ values, in a few bytes, would take all memory. `check` goes first, row group by row group; then `file` and `compressors` are hyparquet's.
 * Source: Apache Parquet format 2.11, parquet.thrift and Encodings.md.
 */
export class CheckedPages {
  /** Of compressed pages, by the place of their bytes in the file. */
  private readonly pages = new Map<number, Page>();
  private readonly starts = new WeakMap<ArrayBufferLike, number>();
  readonly file: AsyncBuffer;
  readonly compressors: Compressors;

  constructor(
    private readonly source: AsyncBuffer,
    private readonly schema: SchemaTree,
    compressors: Compressors,
  ) {
    this.file = {
      byteLength: source.byteLength,
      slice: async (start, end) => {
        const bytes = await source.slice(start, end);
        this.starts.set(bytes, start);
        return bytes;
      },
    };
    const checked = (decompress: NonNullable<Compressors[keyof Compressors]>) => (bytes: Uint8Array, length: number) => {
      const page = decompress(bytes, length);
      const known = this.pages.get((this.starts.get(bytes.buffer) ?? Number.NaN) + bytes.byteOffset);
      if (known) checkValues(page, known);
      return page;
    };
    this.compressors = Object.fromEntries(Object.entries(compressors).map(([codec, decompress]) => [codec, checked(decompress)]));
  }

  /**
   * Walks through the pages of a row group without decompressing them.
   * @param columns names at the top; others are not looked at.
   * @throws Unreadable
   */
  async check(group: RowGroup, columns: readonly string[]): Promise<void> {
    this.pages.clear();
    for (const { meta_data: chunk } of group.columns) {
      if (chunk === undefined) throw damaged('a column has no description');
      if (!columns.includes(chunk.path_in_schema[0])) continue;
      const values = Number(chunk.num_values);
      if (!(values >= 0 && values <= MAX_VALUES && Number(group.num_rows) <= MAX_VALUES)) throw damaged(`a column has ${values} values`);
      const start = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
      const bytes = new Uint8Array(await this.source.slice(start, start + Number(chunk.total_compressed_size)));
      if (this.checkChunk(bytes, start, chunk, values) !== values)
        throw damaged(`a column has not the ${values} values that it should have`);
    }
  }

  private checkChunk(bytes: Uint8Array<ArrayBuffer>, start: number, chunk: ColumnMetaData, most: number): number {
    const levels = levelsOf(this.schema, chunk.path_in_schema);
    const reader = { view: new DataView(bytes.buffer), offset: 0 };
    let sum = 0;
    while (sum < most && reader.offset < bytes.length - 1) {
      const header = parquetHeader(reader);
      const { compressed_page_size: size, uncompressed_page_size: length, dictionary_page_header: dictionary } = header;
      const at = reader.offset;
      reader.offset += size;
      if (!(size >= 0 && reader.offset <= bytes.length && length >= 0)) throw damaged('a page lies out of its column');
      if (dictionary && !(dictionary.num_values >= 0 && dictionary.num_values <= length))
        throw damaged('a dictionary is larger than its page');
      if (dictionary) continue;
      const second = header.data_page_header_v2;
      const data = second ?? header.data_page_header;
      if (!(data && data.num_values >= 0)) throw damaged('a page does not say how many values it has');
      sum += data.num_values;
      const page: Page = { values: data.num_values, encoding: data.encoding };
      let from = at;
      if (second) {
        const [repetition, definition] = [second.repetition_levels_byte_length, second.definition_levels_byte_length];
        from += repetition + definition;
        if (!(repetition >= 0 && definition >= 0 && from <= reader.offset)) throw damaged('the levels of a page lie out of it');
        if (levels.repetition > 0) checkLevels(bytes, at, at + repetition, levels.repetition, page.values);
        if (levels.definition > 0) checkLevels(bytes, at + repetition, from, levels.definition, page.values);
      } else page.levels = levels;
      if (chunk.codec === 'UNCOMPRESSED' || second?.is_compressed === false) checkValues(bytes.subarray(from, reader.offset), page);
      else this.pages.set(start + from, page);
    }
    return sum;
  }
}

function levelsOf(schema: SchemaTree, path: readonly string[]): Levels {
  const levels = { definition: 0, repetition: 0 };
  let tree: SchemaTree | undefined = schema;
  for (const name of path) {
    tree = tree.children.find(({ element }) => element.name === name);
    if (tree === undefined) throw damaged('a column is not in its schema');
    if (tree.element.repetition_type !== 'REQUIRED') levels.definition++;
    if (tree.element.repetition_type === 'REPEATED') levels.repetition++;
  }
  return levels;
}

/** Levels, where they are with the values, and indices into a dictionary. */
function checkValues(bytes: Uint8Array, { values, encoding, levels }: Page): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (const highest of [levels?.repetition ?? 0, levels?.definition ?? 0]) {
    if (highest === 0) continue;
    if (at + 4 > bytes.length) throw damaged('the levels of a page lie out of it');
    const from = at + 4;
    at = from + view.getUint32(at, true);
    if (at > bytes.length) throw damaged('the levels of a page lie out of it');
    checkLevels(bytes, from, at, highest, values);
  }
  if (encoding.endsWith('_DICTIONARY') && at < bytes.length) checkRuns(bytes, at + 1, bytes.length, bytes[at], values);
}

function checkLevels(bytes: Uint8Array, from: number, to: number, highest: number, values: number): void {
  if (checkRuns(bytes, from, to, 32 - Math.clz32(highest), values) < values) throw damaged('a page has fewer levels than values');
}

/** Runs of one value, and of groups of eight, of `width` bits each: none may be longer than what is there. @returns how many values they give. */
function checkRuns(bytes: Uint8Array, from: number, to: number, width: number, values: number): number {
  let seen = 0;
  for (let at = from; seen < values && at < to; ) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      header |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const count = header & 1 ? (header >>> 1) * 8 : header >>> 1;
    if (count > values + 8) throw damaged('a run is longer than its page');
    seen += count;
    at += header & 1 ? (header >>> 1) * width : (width + 7) >> 3;
  }
  return seen;
}

function damaged(what: string): Unreadable {
  return new Unreadable('damaged', `the Parquet file is damaged: ${what}`);
}
