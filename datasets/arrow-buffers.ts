import { decompress } from 'fzstd';
import { ArrowFault, type FlatTable } from './arrow-flatbuffer.js';

const ZSTD = 1; // CompressionType
/** Zstandard and what Arrow writes before it make no more of a byte: 128 KiB blocks of one byte again and again, 4 bytes each. */
const MAX_RATIO = 1 << 15;
const MAX_BUFFER = 2 ** 31 - 1; // bytes

/** The buffers of a record batch in their order, as views of its body or decompressed. Source: format/Message.fbs. */
export class Buffers {
  private readonly regions: readonly [offset: number, length: number][];
  private readonly compressed: boolean;
  private place = 0;
  /** No more bytes than that are in all buffers. */
  readonly size: number;

  /** @param header the table RecordBatch. */
  constructor(
    header: FlatTable,
    private readonly body: Uint8Array<ArrayBuffer>,
  ) {
    this.regions = header.structs(2, 16).map((region) => [region.count(0), region.count(8)]);
    const compression = header.table(3);
    this.compressed = compression !== undefined;
    if (compression && compression.int8(0) !== ZSTD) {
      throw new ArrowFault('its record batches are compressed with lz4, which is not read', 'Write it with zstd, or without compression');
    }
    for (const [offset, length] of this.regions) {
      if (offset + length > body.length) throw new ArrowFault('bytes of a column lie out of their record batch');
      if (offset % 8 !== 0 && length > 0) throw new ArrowFault(`bytes of a column begin at ${offset}, which is no multiple of 8`);
    }
    this.size = this.compressed ? this.regions.reduce((sum, region) => sum + this.uncompressedLength(region), 0) : body.length;
  }

  /** The next buffer, of `needed` bytes; it may have more of them. */
  next(name: string, needed: number): Uint8Array<ArrayBuffer> {
    const bytes = this.whole();
    if (bytes.length < needed) throw new ArrowFault(`the column ${name} has ${bytes.length} bytes where it needs ${needed}`);
    return bytes.subarray(0, needed);
  }

  /** The next buffer with all that it has. */
  whole(): Uint8Array<ArrayBuffer> {
    const region = this.regions[this.place++];
    if (region === undefined) throw new ArrowFault('a record batch has fewer columns than the schema');
    const [offset, length] = region;
    const bytes = this.body.subarray(offset, offset + length);
    return this.compressed && length > 0 ? this.decompressed(region, bytes) : bytes;
  }

  /** All of the batch must have been taken. */
  finish(): void {
    if (this.place < this.regions.length) throw new ArrowFault('a record batch has more columns than the schema');
  }

  private decompressed(region: [number, number], bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const length = this.uncompressedLength(region);
    if (length === region[1] - 8 && this.prefix(region) < 0n) return bytes.slice(8); // of its own, so that it begins where numbers may
    try {
      return decompress(bytes.subarray(8), new Uint8Array(length)) as Uint8Array<ArrayBuffer>;
    } catch {
      throw new ArrowFault('bytes of a column cannot be decompressed');
    }
  }

  private prefix([offset]: [number, number]): bigint {
    return new DataView(this.body.buffer, this.body.byteOffset + offset, 8).getBigInt64(0, true);
  }

  /** What a compressed buffer begins with; -1 where it was left as it is. */
  private uncompressedLength(region: [number, number]): number {
    const length = region[1];
    if (length === 0) return 0;
    if (length < 8) throw new ArrowFault('bytes of a column cannot be decompressed');
    const said = this.prefix(region);
    if (said === -1n) return length - 8;
    if (said < 0n || said > BigInt(Math.min(MAX_BUFFER, MAX_RATIO * length))) {
      throw new ArrowFault('bytes of a column cannot be decompressed');
    }
    return Number(said);
  }
}
