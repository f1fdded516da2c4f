import fs, { type FileHandle } from 'node:fs/promises';
import { powerOfTwo } from '../../util/hashing.js';

const BUCKET_BITS = 12;
const BUFFER_WORDS = 1 << 18; // 1 MB
/** Keys that are compared at a time. */
const PARTITION_KEYS = 1 << 18;

/** Which documents are the same, or nearly. */
export interface Groups {
  /** The first document of the group of each; a document alone is its own. */
  first: Uint32Array;
  /** How many of its keys earlier documents have, too; at most 255. */
  keys: Uint8Array;
}

/**
 * Keys of documents on disk. They are compared in memory of a fixed size, however many there are: the file is parted by the first bits of the keys
 * into runs of about `partitionKeys`, and each run is gone through with a table of the different keys in it. A document costs 5 bytes.
 */
export class KeyFile {
  private readonly buckets = new Float64Array(1 << BUCKET_BITS);
  private buffer = new Uint32Array(BUFFER_WORDS);
  private used = 0;
  private records = 0;

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly keyWords: number,
    private readonly partitionKeys: number,
  ) {}

  static async create(path: string, keyWords: number, partitionKeys = PARTITION_KEYS): Promise<KeyFile> {
    return new KeyFile(path, await fs.open(path, 'w+'), keyWords, partitionKeys);
  }

  /** Adds records of a key and the number of its document, which is counted from `base` on. Documents come in their order. */
  async append(records: Uint32Array, base: number): Promise<void> {
    const size = this.keyWords + 1;
    for (let i = 0; i < records.length; i += size) {
      if (this.used + size > this.buffer.length) await this.flush();
      this.buckets[records[i] >>> (32 - BUCKET_BITS)]++;
      for (let word = 0; word < this.keyWords; word++) this.buffer[this.used++] = records[i + word];
      this.buffer[this.used++] = records[i + this.keyWords] + base;
    }
    this.records += records.length / size;
  }

  /** Compares the keys of `documents` documents: those that share one are of one group, and so on from group to group. */
  async groups(documents: number): Promise<Groups> {
    await this.flush();
    const groups = { first: new Uint32Array(documents), keys: new Uint8Array(documents) };
    for (let i = 0; i < documents; i++) groups.first[i] = i;
    const table = new KeyTable(this.keyWords, Math.min(this.records, this.partitionKeys));
    const partitions = this.partitions();
    const parted = partitions.length > 1 ? await this.part(partitions) : this.file;
    try {
      for (const { from, records } of partitions) {
        table.clear();
        for await (const block of this.read(parted, from, records)) unite(groups, table, block);
      }
    } finally {
      if (parted !== this.file) await parted.close();
    }
    for (let i = 0; i < documents; i++) groups.first[i] = find(groups.first, i);
    return groups;
  }

  /** Removes the file. */
  async remove(): Promise<void> {
    await this.file.close();
    await fs.rm(this.path, { force: true });
    await fs.rm(`${this.path}.parted`, { force: true });
  }

  private async flush(): Promise<void> {
    await writeAll(this.file, this.buffer.subarray(0, this.used), null);
    this.used = 0;
  }

  /** Neighbouring buckets of about `partitionKeys` keys together: the bucket after the last of each, its first record and their number. */
  private partitions(): { end: number; from: number; records: number }[] {
    const partitions = [{ end: 0, from: 0, records: 0 }];
    this.buckets.forEach((records, bucket) => {
      let last = partitions.at(-1)!;
      if (last.records > 0 && last.records + records > this.partitionKeys) {
        last = { end: 0, from: last.from + last.records, records: 0 };
        partitions.push(last);
      }
      last.records += records;
      last.end = bucket + 1;
    });
    return partitions;
  }

  /** Writes the records again, those of a partition together and in their order. */
  private async part(partitions: readonly { end: number; from: number }[]): Promise<FileHandle> {
    const size = this.keyWords + 1;
    const room = size * Math.max(16, Math.floor(BUFFER_WORDS / partitions.length));
    const buffers = partitions.map(() => new Uint32Array(room));
    const used = new Uint32Array(partitions.length);
    const places = partitions.map(({ from }) => from * size * 4);
    const partitionOf = new Uint16Array(this.buckets.length);
    for (let bucket = 0, partition = 0; bucket < partitionOf.length; bucket++) {
      while (bucket >= partitions[partition].end) partition++;
      partitionOf[bucket] = partition;
    }
    const parted = await fs.open(`${this.path}.parted`, 'w+');
    const flush = async (partition: number) => {
      const full = buffers[partition].subarray(0, used[partition]);
      await writeAll(parted, full, places[partition]);
      places[partition] += full.byteLength;
      used[partition] = 0;
    };
    for await (const block of this.read(this.file, 0, this.records)) {
      for (let i = 0; i < block.length; i += size) {
        const partition = partitionOf[block[i] >>> (32 - BUCKET_BITS)];
        for (let word = 0; word < size; word++) buffers[partition][used[partition] + word] = block[i + word];
        used[partition] += size;
        if (used[partition] === room) await flush(partition);
      }
    }
    for (let partition = 0; partition < partitions.length; partition++) await flush(partition);
    return parted;
  }

  /** Records in blocks; a block is overwritten by the next. */
  private async *read(file: FileHandle, from: number, records: number): AsyncGenerator<Uint32Array> {
    const size = this.keyWords + 1;
    const block = Math.floor(BUFFER_WORDS / size);
    const words = new Uint32Array(Math.min(block, records) * size);
    const bytes = new Uint8Array(words.buffer);
    for (let at = from; at < from + records; at += block) {
      const length = 4 * size * Math.min(block, from + records - at);
      for (let read = 0; read < length; ) {
        const { bytesRead } = await file.read(bytes, read, length - read, at * size * 4 + read);
        if (bytesRead === 0) throw new Error(`${this.path} ends too early`);
        read += bytesRead;
      }
      yield words.subarray(0, length / 4);
    }
  }
}

/** Different keys and the first document that has each. */
class KeyTable {
  private slots: Uint32Array;
  private count = 0;

  constructor(
    readonly keyWords: number,
    keys: number,
  ) {
    this.slots = new Uint32Array((keyWords + 1) * powerOfTwo(Math.max(64, 2 * keys)));
  }

  clear(): void {
    this.slots.fill(0);
    this.count = 0;
  }

  /** The first document with the key at `at` of `block`: `document` itself, if there is no other. */
  firstWith(block: Uint32Array, at: number, document: number): number {
    const { slots, keyWords } = this;
    const size = keyWords + 1;
    const mask = slots.length / size - 1;
    for (let slot = block[at + 1] & mask; ; slot = (slot + 1) & mask) {
      const place = slot * size;
      if (slots[place + keyWords] === 0) {
        for (let word = 0; word < keyWords; word++) slots[place + word] = block[at + word];
        slots[place + keyWords] = document + 1;
        if (++this.count > 0.7 * (mask + 1)) this.grow();
        return document;
      }
      let word = 0;
      while (word < keyWords && slots[place + word] === block[at + word]) word++;
      if (word === keyWords) return slots[place + keyWords] - 1;
    }
  }

  private grow(): void {
    const { slots: old, keyWords } = this;
    this.slots = new Uint32Array(2 * old.length);
    this.count = 0;
    for (let place = 0; place < old.length; place += keyWords + 1) {
      if (old[place + keyWords] !== 0) this.firstWith(old, place, old[place + keyWords] - 1);
    }
  }
}

function unite({ first, keys }: Groups, table: KeyTable, block: Uint32Array): void {
  const { keyWords } = table;
  for (let at = 0; at < block.length; at += keyWords + 1) {
    const document = block[at + keyWords];
    const earlier = table.firstWith(block, at, document);
    if (earlier === document) continue;
    if (keys[document] < 255) keys[document]++;
    const [a, b] = [find(first, earlier), find(first, document)];
    if (a < b) first[b] = a;
    else first[a] = b;
  }
}

/** The first document of a group, with the way to it halved. Source: Tarjan and van Leeuwen 1984, "Worst-case analysis of set union algorithms". */
function find(first: Uint32Array, document: number): number {
  while (first[document] !== document) {
    first[document] = first[first[document]];
    document = first[document];
  }
  return document;
}

async function writeAll(file: FileHandle, words: Uint32Array, position: number | null): Promise<void> {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  for (let written = 0; written < bytes.length; ) {
    const at = position === null ? null : position + written;
    written += (await file.write(bytes, written, bytes.length - written, at)).bytesWritten;
  }
}
