/** Encodes chunks of a corpus in a thread of `mapInWorkers`. */
import { IdList, loadTokenizer } from '../tokenizer/index.js';
import type { WorkerTask } from '../util/workers.js';
import { type PartName, type Piece, type PlacedChunk, pieces, type SplitOptions } from './documents.js';

export interface EncodeSetup extends SplitOptions {
  /** Contents of tokenizer.json. */
  tokenizer: object;
  /** Contents of another's tokenizer_config.json. */
  config?: object;
  allowSpecial: boolean;
}

/** Documents of a chunk as tokens, those of a source and part together. The arrays own their buffers. */
export interface EncodedChunk {
  /** Where the next chunk begins. */
  next: Place;
  /** UTF-8 bytes of the chunk's texts. */
  textBytes: number;
  groups: { source: string; part: PartName; documents: number }[];
  /** Tokens of the documents of all groups, one after another. */
  ids: Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
  /** Tokens, and UTF-8 bytes of text, of each document. */
  lengths: Uint32Array<ArrayBuffer>;
  bytes: Uint32Array<ArrayBuffer>;
  /** Of each token, 1 = it is to be predicted; missing where all but the first of a document are. */
  supervised?: Uint8Array<ArrayBuffer>;
  /** Of each document, where they differ. */
  weights?: Float32Array<ArrayBuffer>;
}

/** A document: which corpus, and its place there. */
export interface Place {
  corpus: number;
  document: number;
}

export function start(setup: EncodeSetup): WorkerTask<PlacedChunk, EncodedChunk> {
  const tokenizer = loadTokenizer(setup.tokenizer, setup.config);
  const { bos, eos } = tokenizer.special;
  const Ids = tokenizer.vocabSize <= 0x10000 ? Uint16Array : Uint32Array;
  const out = new IdList();
  return {
    run(chunk) {
      const groups = grouped(chunk, setup);
      const documents = groups.reduce((sum, group) => sum + group.pieces.length, 0);
      const lengths = new Uint32Array(documents);
      const bytes = new Uint32Array(documents);
      out.length = 0;
      let document = 0;
      for (const { from, to } of groups.flatMap((group) => group.pieces)) {
        const before = out.length;
        if (bos >= 0) out.push(bos);
        tokenizer.encodeUtf8(chunk.text.subarray(from, to), out, setup);
        if (eos >= 0) out.push(eos);
        lengths[document] = out.length - before;
        bytes[document++] = to - from;
      }
      return {
        next: { corpus: chunk.corpus, document: chunk.first + chunk.sourceOf.length },
        textBytes: chunk.text.length,
        groups: groups.map(({ source, part, pieces: { length } }) => ({ source, part, documents: length })),
        ids: new Ids(out.ids.subarray(0, out.length)),
        lengths,
        bytes,
      };
    },
  };
}

/** The pieces of a chunk by source and part, in the order in which these are first met. */
function grouped(chunk: PlacedChunk, split: SplitOptions): { source: string; part: PartName; pieces: Piece[] }[] {
  const groups = new Map<string, { source: string; part: PartName; pieces: Piece[] }>();
  for (const piece of pieces(chunk, split)) {
    const source = chunk.sources[chunk.sourceOf[piece.document]];
    const key = `${piece.part} ${source}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { source, part: piece.part, pieces: [piece] });
    else group.pieces.push(piece);
  }
  return [...groups.values()];
}
