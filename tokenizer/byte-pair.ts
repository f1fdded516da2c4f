import { createHash } from 'node:crypto';
import { BYTE_CHARACTERS, tokenBytes } from './bytes.js';
import { Heap } from './heap.js';
import { LLAMA3_PATTERN } from './scan.js';
import { addedTokens, SPECIAL_TOKENS, splitAtSpecialTokens } from './special-tokens.js';
import { splitBytePairWords, wellFormed } from './split.js';
import type { DecodeOptions, StreamingDecoder, Tokenizer } from './tokenizer.js';

const CACHED_WORDS = 1 << 17;
const LONGEST_CACHED_WORD = 64; // characters
const LONGEST_SCANNED_WORD = 48; // symbols; a longer word is merged with a heap

/** Byte-level byte-pair encoding. Source: Sennrich et al. 2016; Radford et al. 2019 for bytes. */
export class BytePairTokenizer implements Tokenizer {
  readonly kind = 'bpe';
  readonly special = { bos: 0, eos: 1, pad: 2 };
  readonly vocabSize: number;
  private readonly ids: Map<string, number>;
  private readonly bytes: Uint8Array[];
  private readonly byteIds: Int32Array;
  private readonly ranks = new Map<number, number>(); // left · vocabSize + right → place in `merges`
  private readonly results: Int32Array; // id that each merge makes
  private readonly cache = new Map<string, readonly number[]>();

  /**
   * @param tokens by id, byte-level characters; the special tokens first.
   * @param merges pairs of ids, first merged first.
   */
  constructor(
    private readonly tokens: readonly string[],
    private readonly merges: readonly (readonly [number, number])[],
  ) {
    this.vocabSize = tokens.length;
    this.ids = new Map(tokens.map((token, id) => [token, id]));
    this.bytes = tokens.map((token) => tokenBytes(token) ?? new Uint8Array());
    this.byteIds = Int32Array.from(BYTE_CHARACTERS, (character) => this.ids.get(character)!);
    this.results = Int32Array.from(merges, ([left, right]) => this.ids.get(tokens[left] + tokens[right])!);
    merges.forEach(([left, right], rank) => {
      this.ranks.set(left * this.vocabSize + right, rank);
    });
  }

  encode(text: string, options: { allowSpecial?: boolean } = {}): number[] {
    const out: number[] = [];
    const append = (word: string) => {
      const ids = this.wordIds(word);
      for (let i = 0; i < ids.length; i++) out.push(ids[i]);
    };
    const pieces = options.allowSpecial ? splitAtSpecialTokens(text) : [text];
    pieces.forEach((piece, i) => {
      if (i % 2 === 1) out.push(this.ids.get(piece)!);
      else splitBytePairWords(wellFormed(piece), append);
    });
    return out;
  }

  private wordIds(word: string): readonly number[] {
    const cached = this.cache.get(word);
    if (cached !== undefined) return cached;
    const symbols = Array.from(Buffer.from(word, 'utf8'), (byte) => this.byteIds[byte]);
    const ids = symbols.length > LONGEST_SCANNED_WORD ? this.mergeByHeap(symbols) : this.mergeByScan(symbols);
    if (word.length <= LONGEST_CACHED_WORD) {
      if (this.cache.size >= CACHED_WORDS) this.cache.clear();
      this.cache.set(word, ids);
    }
    return ids;
  }

  private rank(left: number, right: number): number {
    return this.ranks.get(left * this.vocabSize + right) ?? Number.POSITIVE_INFINITY;
  }

  /** Merges the pair of lowest rank, leftmost first, until none is left; each time looks through the whole word. */
  private mergeByScan(symbols: number[]): number[] {
    const ranks = symbols.slice(1).map((right, i) => this.rank(symbols[i], right));
    while (ranks.length > 0) {
      let best = 0;
      for (let i = 1; i < ranks.length; i++) if (ranks[i] < ranks[best]) best = i;
      if (ranks[best] === Number.POSITIVE_INFINITY) break;
      symbols[best] = this.results[ranks[best]];
      symbols.splice(best + 1, 1);
      ranks.splice(best, 1);
      if (best > 0) ranks[best - 1] = this.rank(symbols[best - 1], symbols[best]);
      if (best < ranks.length) ranks[best] = this.rank(symbols[best], symbols[best + 1]);
    }
    return symbols;
  }

  /** The same by a linked list and a heap of candidates (rank · 2^32 + position), for words without bound. */
  private mergeByHeap(symbols: number[]): number[] {
    const n = symbols.length;
    const next = Int32Array.from(symbols, (_, i) => i + 1);
    const previous = Int32Array.from(symbols, (_, i) => i - 1);
    const heap = new Heap<number>((a, b) => a < b);
    const offer = (i: number) => {
      const rank = this.rank(symbols[i], symbols[next[i]]);
      if (rank !== Number.POSITIVE_INFINITY) heap.push(rank * 2 ** 32 + i);
    };
    for (let i = 0; i + 1 < n; i++) offer(i);
    for (let candidate = heap.pop(); candidate !== undefined; candidate = heap.pop()) {
      const rank = Math.floor(candidate / 2 ** 32);
      const i = candidate % 2 ** 32;
      const j = next[i];
      if (symbols[i] < 0 || j >= n || this.rank(symbols[i], symbols[j]) !== rank) continue; // no longer there
      symbols[i] = this.results[rank];
      symbols[j] = -1;
      next[i] = next[j];
      if (next[i] < n) {
        previous[next[i]] = i;
        offer(i);
      }
      if (previous[i] >= 0) offer(previous[i]);
    }
    return symbols.filter((symbol) => symbol >= 0);
  }

  private bytesOf(id: number, options: DecodeOptions): Uint8Array {
    if (!(id >= 0 && id < this.vocabSize)) throw new RangeError(`decode: ids must be in [0, ${this.vocabSize}); received ${id}`);
    return options.skipSpecial && id < SPECIAL_TOKENS.length ? new Uint8Array() : this.bytes[id];
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const pieces = Array.from(ids, (id) => this.bytesOf(id, options));
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(pieces));
  }

  decoder(options: DecodeOptions = {}): StreamingDecoder {
    const text = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (id) => text.decode(this.bytesOf(id, options), { stream: true }),
      end: () => text.decode(),
    };
  }

  idOf(token: string): number | undefined {
    return this.ids.get(token);
  }

  tokenOf(id: number): string | undefined {
    return this.tokens[id];
  }

  byteLength(id: number): number {
    return id < SPECIAL_TOKENS.length ? 0 : this.bytes[id].length;
  }

  hash(): string {
    return createHash('sha256').update(JSON.stringify(this)).digest('hex');
  }

  toJSON(): object {
    return {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: addedTokens(),
      normalizer: null,
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'Split', pattern: { Regex: LLAMA3_PATTERN }, behavior: 'Isolated', invert: false },
          { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
        ],
      },
      post_processor: null,
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(this.ids),
        merges: this.merges.map(([left, right]) => [this.tokens[left], this.tokens[right]]),
      },
    };
  }
}
