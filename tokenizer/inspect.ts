import { UserError } from '../util/errors.js';
import type { TokenPiece } from '../util/visible.js';
import { IdList } from './id-list.js';
import { tokenPieces } from './pieces.js';
import { GPT2_PATTERN } from './scan.js';
import type { TextBatch } from './text-batch.js';
import type { Tokenizer } from './tokenizer.js';

/** A token, and what there is to say of it. */
export interface TokenFacts extends TokenPiece {
  bytes: number;
  /** How often the texts have it; absent where no texts were given. */
  count?: number;
}

/** What a tokenizer is. */
export interface TokenizerFacts {
  kind: Tokenizer['kind'];
  /** Number of ids, special tokens included. */
  size: number;
  /** SHA-256, in hex, of the canonical tokenizer.json. */
  hash: string;
  /** The patterns that cut text into words, as tokenizer.json states them. */
  patterns: string[];
  special: TokenPiece[];
  longest: TokenFacts[];
}

/** How well a tokenizer fits some texts. */
export interface TokenUse {
  sources: SourceUse[];
  /** Tokens that stand for text and that none of the texts has; the first of them by id, single bytes left out. */
  unused: { count: number; singleBytes: number; examples: TokenFacts[] };
  mostUsed: TokenFacts[];
}

export interface SourceUse {
  source: string;
  documents: number;
  bytes: number;
  tokens: number;
}

/** Texts in UTF-8 with the name of where each comes from: `sources[sourceOf[i]]`. */
export interface SourcedBatch extends TextBatch {
  sources: readonly string[];
  sourceOf: Uint32Array;
}

/** What `fourfold tokenizer inspect` found. */
export interface Inspection {
  /** Name of the tokenizer, such as its path. */
  name: string;
  facts: TokenizerFacts;
  use?: TokenUse;
  /** A text's tokens, and its bytes. */
  text?: { pieces: TokenPiece[]; bytes: number };
}

export interface InspectOptions {
  name: string;
  /** Texts that it is to be tried on. */
  batches?: AsyncIterable<SourcedBatch>;
  /** A text whose tokens are to be shown. */
  text?: string;
  onProgress?: (bytes: number) => void;
}

export async function inspectTokenizer(tokenizer: Tokenizer, { name, batches, text, onProgress }: InspectOptions): Promise<Inspection> {
  if (text === '') throw new UserError('inspect tokenizer: the text must have a character or more; received an empty one');
  return {
    name,
    facts: tokenizerFacts(tokenizer),
    use: batches && (await tokenUse(tokenizer, batches, { onProgress })),
    text: text === undefined ? undefined : { pieces: tokenPieces(tokenizer, tokenizer.encode(text)), bytes: Buffer.byteLength(text) },
  };
}

/** What can be said of a tokenizer without any text; `shown` is how many of its longest tokens. */
export function tokenizerFacts(tokenizer: Tokenizer, shown = 20): TokenizerFacts {
  const ids = Array.from({ length: tokenizer.vocabSize }, (_, id) => id);
  const ofText = ids.filter((id) => tokenizer.byteLength(id) > 0);
  const longest = ofText.sort((a, b) => tokenizer.byteLength(b) - tokenizer.byteLength(a) || a - b).slice(0, shown);
  return {
    kind: tokenizer.kind,
    size: tokenizer.vocabSize,
    hash: tokenizer.hash(),
    patterns: splitPatterns((tokenizer.toJSON() as { pre_tokenizer?: unknown }).pre_tokenizer),
    special: tokenPieces(
      tokenizer,
      ids.filter((id) => tokenizer.byteLength(id) === 0),
    ),
    longest: factsOf(tokenizer, longest),
  };
}

/**
 * Encodes texts and counts their tokens. Holds one number for each id, and one batch of text.
 * @param shown how many of the most used tokens, and how many examples of unused ones, to give.
 */
export async function tokenUse(
  tokenizer: Tokenizer,
  batches: AsyncIterable<SourcedBatch> | Iterable<SourcedBatch>,
  options: { shown?: number; onProgress?: (bytes: number) => void } = {},
): Promise<TokenUse> {
  const { shown = 20, onProgress } = options;
  const counts = new Float64Array(tokenizer.vocabSize);
  const sources = new Map<string, SourceUse>();
  const ids = new IdList();
  let done = 0;
  for await (const batch of batches) {
    for (let i = 0; i + 1 < batch.offsets.length; i++) {
      const source = batch.sources[batch.sourceOf[i]];
      const use = sources.get(source) ?? { source, documents: 0, bytes: 0, tokens: 0 };
      sources.set(source, use);
      ids.length = 0;
      tokenizer.encodeUtf8(batch.text.subarray(batch.offsets[i], batch.offsets[i + 1]), ids);
      for (let n = 0; n < ids.length; n++) counts[ids.ids[n]]++;
      use.documents++;
      use.bytes += batch.offsets[i + 1] - batch.offsets[i];
      use.tokens += ids.length;
    }
    done += batch.text.length;
    onProgress?.(done);
  }
  return { sources: [...sources.values()], ...usedAndUnused(tokenizer, counts, shown) };
}

function usedAndUnused(tokenizer: Tokenizer, counts: Float64Array, shown: number): Pick<TokenUse, 'unused' | 'mostUsed'> {
  const used: number[] = [];
  const unused: number[] = [];
  for (let id = 0; id < counts.length; id++) {
    if (counts[id] > 0) used.push(id);
    else if (tokenizer.byteLength(id) > 0) unused.push(id);
  }
  const whole = unused.filter((id) => !(tokenizer.kind === 'bpe' && tokenizer.byteLength(id) === 1));
  const mostUsed = used.sort((a, b) => counts[b] - counts[a] || a - b).slice(0, shown);
  return {
    unused: { count: unused.length, singleBytes: unused.length - whole.length, examples: factsOf(tokenizer, whole.slice(0, shown)) },
    mostUsed: factsOf(tokenizer, mostUsed).map((facts) => ({ ...facts, count: counts[facts.id] })),
  };
}

function factsOf(tokenizer: Tokenizer, ids: readonly number[]): TokenFacts[] {
  return tokenPieces(tokenizer, ids).map((piece) => ({ ...piece, bytes: tokenizer.byteLength(piece.id) }));
}

/** The patterns in a `pre_tokenizer` of tokenizer.json, in their order. */
function splitPatterns(step: unknown): string[] {
  if (typeof step !== 'object' || step === null) return [];
  const { type, pretokenizers, pattern, use_regex } = step as Record<string, unknown>;
  if (Array.isArray(pretokenizers)) return pretokenizers.flatMap(splitPatterns);
  if (type === 'ByteLevel') return use_regex === false ? [] : [GPT2_PATTERN];
  if (typeof pattern !== 'object' || pattern === null) return [];
  return Object.values(pattern).filter((value) => typeof value === 'string');
}
