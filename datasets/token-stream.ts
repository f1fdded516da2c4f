import fs from 'node:fs/promises';
import path from 'node:path';
import { loadTokenizer } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { checkColumns, readBatches, readMetadata } from './arrow.js';
import type { DatasetSummary } from './prepare.js';

/** All tokens of one part of prepared data, one document after another. */
export interface TokenStream {
  ids: Uint16Array | Uint32Array;
  /** First token of each document, and the end of the last. */
  offsets: Float64Array;
  /** Id to fill up rows with. */
  padding: number;
  /** UTF-8 bytes of text that the tokens from..to stand for. */
  bytes(from: number, to: number): number;
}

/** dataset.json of a directory of prepared tokens. */
export async function readDataset(directory: string): Promise<DatasetSummary> {
  const file = path.join(directory, 'dataset.json');
  const json = await fs.readFile(file, 'utf8').catch((cause) => {
    throw new UserError(
      `load data: ${directory} must be a directory of prepared tokens; ${file} cannot be read (${cause.code}). Make one with fourfold data prepare`,
      1,
      {
        cause,
      },
    );
  });
  return JSON.parse(json) as DatasetSummary;
}

/** Reads the shards of a part record batch by record batch. */
export async function readTokenStream(directory: string, name: 'train' | 'eval'): Promise<TokenStream> {
  const dataset = await readDataset(directory);
  const part = dataset[name];
  const tokenizer = loadTokenizer(JSON.parse(await fs.readFile(path.join(directory, 'tokenizer.json'), 'utf8')));
  const tokenizerHash = tokenizer.hash();
  for (const shard of part.shards) await checkTokenizer(path.join(directory, shard), tokenizerHash);
  const ids = new (dataset.vocab_size <= 0x10000 ? Uint16Array : Uint32Array)(part.tokens);
  const offsets = new Float64Array(part.documents + 1);
  const byteLengths = Uint32Array.from({ length: dataset.vocab_size }, (_, id) => tokenizer.byteLength(id));
  const corrections: Correction[] = [];
  let document = 0;
  for (const shard of part.shards) {
    const file = path.join(directory, shard);
    for await (const batch of readBatches(file)) {
      checkColumns(file, batch, ['ids', 'bytes']);
      const lists = batch.getChild('ids')!.data[0];
      const values = lists.children[0].values as Uint16Array | Uint32Array;
      const bounds = lists.valueOffsets as Int32Array;
      const bytes = batch.getChild('bytes')!;
      for (let i = 0; i < batch.numRows; i++, document++) {
        const start = offsets[document];
        const list = values.subarray(bounds[i], bounds[i + 1]);
        if (document >= part.documents || start + list.length > part.tokens) throw damaged(directory, name, part.tokens);
        ids.set(list, start);
        offsets[document + 1] = start + list.length;
        let sum = 0;
        for (let t = 0; t < list.length; t++) sum += byteLengths[list[t]];
        if (sum !== bytes.get(i)) corrections.push({ position: start + list.length - 1, bytes: bytes.get(i) - sum });
      }
    }
  }
  if (document !== part.documents || offsets[document] !== part.tokens) throw damaged(directory, name, part.tokens);
  return { ids, offsets, padding: Math.max(0, tokenizer.special.pad), bytes: byteCounter(ids, byteLengths, corrections) };
}

/** Bytes that a document has and its tokens do not tell (unknown words, for instance), counted with its last token. */
interface Correction {
  position: number;
  bytes: number;
}

function byteCounter(ids: Uint16Array | Uint32Array, byteLengths: Uint32Array, corrections: readonly Correction[]): TokenStream['bytes'] {
  return (from, to) => {
    let sum = 0;
    for (let i = from; i < to; i++) sum += byteLengths[ids[i]];
    let low = 0;
    for (let high = corrections.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (corrections[middle].position < from) low = middle + 1;
      else high = middle;
    }
    for (; low < corrections.length && corrections[low].position < to; low++) sum += corrections[low].bytes;
    return sum;
  };
}

async function checkTokenizer(file: string, hash: string): Promise<void> {
  const made = (await readMetadata(file)).get('tokenizer_sha256');
  if (made === hash) return;
  throw new UserError(
    `load data: ${file} must be made with the tokenizer.json beside it (${hash.slice(0, 12)}…); received ${made?.slice(0, 12)}…. Prepare the data again`,
  );
}

function damaged(directory: string, name: string, tokens: number): UserError {
  return new UserError(
    `load data: the ${name} shards in ${directory} must hold the ${tokens} tokens that dataset.json says; they do not. Prepare the data again`,
  );
}
