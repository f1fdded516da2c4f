import { createHash } from 'node:crypto';
import { type AddedToken, AddedTokens } from './added-tokens.js';
import { bytePairJson } from './byte-pair-json.js';
import { BYTE_CHARACTERS, tokenBytes } from './bytes.js';
import { IdList } from './id-list.js';
import { Merger } from './merge.js';
import type { Normalizer } from './normalize.js';
import type { PreTokenizer } from './pre-tokenizer.js';
import { llamaScanner } from './scan.js';
import { addedTokens } from './special-tokens.js';
import { wellFormed } from './split.js';
import type { DecodeOptions, EncodeOptions, SpecialIds, StreamingDecoder, Tokenizer } from './tokenizer.js';
import { grown, WordTable } from './word-table.js';

const CACHED_WORDS = 1 << 17;
const CACHED_IDS = 1 << 21;
const LONGEST_CACHED_WORD = 96; // bytes

const MOST_KEPT = 1 << 20; // ids, of room between calls
const encoder = new TextEncoder();

/** What another's tokenizer.json says that ours does not. */
export interface BytePairSettings {
  /** Tokens of the model itself; those that were added to it come after. */
  modelSize: number;
  added: readonly AddedToken[];
  normalize?: Normalizer;
  preTokenizer: PreTokenizer;
  /** A word that is a token of the model is that token, whatever the merges make of it. */
  ignoreMerges: boolean;
  special: SpecialIds;
  /** The tokenizer.json that was read. */
  json: object;
  /** The tokenizer_config.json beside it. */
  config?: object;
}

/** Byte-level byte-pair encoding. Source: Sennrich et al. 2016; Radford et al. 2019 for bytes. */
export class BytePairTokenizer implements Tokenizer {
  readonly kind = 'bpe';
  readonly vocabSize: number;
  readonly special: SpecialIds;
  readonly config: object | undefined;
  private readonly ids: Map<string, number>;
  private readonly byteIds: Int32Array;
  private readonly merger: Merger;
  private readonly added: AddedTokens;
  private readonly preTokenizer: PreTokenizer;
  /** UTF-8 of token `id`: `bytes[starts[id] … starts[id + 1])`. */
  private readonly bytes: Uint8Array;
  private readonly starts: Int32Array;
  /** Ids of word `n` of the cache: `cached.ids[cachedStarts[n] … cachedStarts[n + 1])`. */
  private readonly words = new WordTable();
  private readonly cached = new IdList();
  private cachedStarts = new Int32Array(1 << 11);
  private readonly symbols = new Int32Array(1 << 10);
  private readonly scratch = new Uint8Array(1 << 12);
  private readonly out = new IdList();
  private readonly longestToken: number; // bytes

  /**
   * @param tokens by id: byte-level characters, or an added token as it is.
   * @param merges pairs of ids, first merged first.
   * @param settings of another's tokenizer; left out, it is one of ours, the special tokens first.
   */
  constructor(
    private readonly tokens: readonly string[],
    private readonly merges: readonly (readonly [number, number])[],
    private readonly settings?: BytePairSettings,
  ) {
    this.vocabSize = tokens.length;
    this.special = settings?.special ?? { bos: 0, eos: 1, pad: 2 };
    this.config = settings?.config;
    this.ids = new Map(tokens.map((token, id) => [token, id]));
    this.byteIds = Int32Array.from(BYTE_CHARACTERS, (character) => this.ids.get(character)!);
    const results = Int32Array.from(merges, ([left, right]) => this.ids.get(tokens[left] + tokens[right])!);
    this.merger = new Merger(merges, results);
    this.added = new AddedTokens(settings?.added ?? addedTokens(), settings?.normalize);
    this.preTokenizer = settings?.preTokenizer ?? { scan: llamaScanner(3), prefixSpace: false };
    const bytes = tokens.map((token, id) => {
      const text = this.added.text(id);
      return (text === undefined ? tokenBytes(token) : undefined) ?? Buffer.from(text ?? token, 'utf8');
    });
    this.starts = new Int32Array(tokens.length + 1);
    for (let id = 0; id < tokens.length; id++) this.starts[id + 1] = this.starts[id] + bytes[id].length;
    this.bytes = Buffer.concat(bytes);
    this.longestToken = bytes.reduce((longest, { length }) => Math.max(longest, length), 0);
  }

  encode(text: string, { allowSpecial = false }: EncodeOptions = {}): number[] {
    const out = this.out.ids.length <= MOST_KEPT ? this.out : new IdList();
    out.length = 0;
    this.encodeText(text, out, allowSpecial);
    const list: number[] = [];
    for (let i = 0; i < out.length; i++) list.push(out.ids[i]);
    return list;
  }

  encodeUtf8(text: Uint8Array, out: IdList, { allowSpecial = false }: EncodeOptions = {}): void {
    if ('scan' in this.preTokenizer && !this.preTokenizer.prefixSpace && !this.changesText(allowSpecial)) this.encodeBytes(text, out);
    else this.encodeText(Buffer.from(text.buffer, text.byteOffset, text.length).toString('utf8'), out, allowSpecial);
  }

  private changesText(allowSpecial: boolean): boolean {
    return this.settings?.normalize !== undefined || this.added.any(allowSpecial);
  }

  private encodeText(text: string, out: IdList, allowSpecial: boolean): void {
    if (!this.changesText(allowSpecial)) this.encodePiece(text, out);
    else {
      this.added.split(wellFormed(text), allowSpecial, (piece) => {
        if (typeof piece === 'number') out.push(piece);
        else this.encodePiece(piece, out);
      });
    }
  }

  /** A text in which added tokens are not looked for. */
  private encodePiece(text: string, out: IdList): void {
    if ('scan' in this.preTokenizer) {
      const prefix = this.preTokenizer.prefixSpace && text !== '' && !text.startsWith(' ') ? ' ' : '';
      this.encodeBytes(this.utf8(prefix + text), out);
    } else {
      for (const word of this.preTokenizer.split(wellFormed(text))) {
        const bytes = this.utf8(word);
        this.encodeWord(bytes, 0, bytes.length, out);
      }
    }
  }

  /** UTF-8 of a text, which holds until the next; lone surrogates become U+FFFD. */
  private utf8(text: string): Uint8Array {
    if (3 * text.length > this.scratch.length) return Buffer.from(text, 'utf8');
    return this.scratch.subarray(0, encoder.encodeInto(text, this.scratch).written);
  }

  private encodeBytes(text: Uint8Array, out: IdList): void {
    if (!('scan' in this.preTokenizer)) return;
    const { scan } = this.preTokenizer;
    for (let i = 0; i < text.length; ) {
      const end = scan(text, i, text.length);
      this.encodeWord(text, i, end, out);
      i = end;
    }
  }

  private encodeWord(text: Uint8Array, start: number, end: number, out: IdList): void {
    if (end - start > LONGEST_CACHED_WORD) {
      this.mergeWord(text, start, end, out);
      return;
    }
    const { words, cached } = this;
    if (words.size >= CACHED_WORDS || cached.length >= CACHED_IDS) {
      words.clear();
      cached.length = 0;
    }
    const known = words.size;
    const word = words.numberOf(text, start, end);
    if (word === known) {
      this.mergeWord(text, start, end, cached);
      if (word + 1 === this.cachedStarts.length) this.cachedStarts = grown(this.cachedStarts, 2 * word + 2);
      this.cachedStarts[word + 1] = cached.length;
    }
    const from = this.cachedStarts[word];
    const to = this.cachedStarts[word + 1];
    if (to === from + 1) out.push(cached.ids[from]);
    else {
      out.reserve(to - from);
      for (let i = from; i < to; i++) out.ids[out.length++] = cached.ids[i];
    }
  }

  private mergeWord(text: Uint8Array, start: number, end: number, out: IdList): void {
    const { byteIds } = this;
    const whole = this.settings?.ignoreMerges ? this.wholeWord(text, start, end) : -1;
    if (whole >= 0) {
      out.push(whole);
      return;
    }
    const size = end - start;
    const symbols = size <= this.symbols.length ? this.symbols : new Int32Array(size);
    for (let i = 0; i < size; i++) symbols[i] = byteIds[text[start + i]];
    const n = this.merger.merge(symbols, size);
    out.reserve(n);
    for (let i = 0; i < n; i++) out.ids[out.length++] = symbols[i];
  }

  /** The id of a word that is a token of the model; else -1. */
  private wholeWord(text: Uint8Array, start: number, end: number): number {
    if (end - start > this.longestToken) return -1;
    let token = '';
    for (let i = start; i < end; i++) token += BYTE_CHARACTERS[text[i]];
    const id = this.ids.get(token);
    return id !== undefined && id < this.settings!.modelSize ? id : -1;
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const { bytes, starts } = this;
    let length = 0;
    for (let i = 0; i < ids.length; i++) if (this.isShown(ids[i], options)) length += starts[ids[i] + 1] - starts[ids[i]];
    const text = new Uint8Array(length);
    let at = 0;
    for (let i = 0; i < ids.length; i++) {
      if (!this.isShown(ids[i], options)) continue;
      for (let from = starts[ids[i]]; from < starts[ids[i] + 1]; from++) text[at++] = bytes[from];
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(text);
  }

  decoder(options: DecodeOptions = {}): StreamingDecoder {
    const text = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (id) =>
        this.isShown(id, options) ? text.decode(this.bytes.subarray(this.starts[id], this.starts[id + 1]), { stream: true }) : '',
      end: () => text.decode(),
    };
  }

  private isShown(id: number, options: DecodeOptions): boolean {
    if (!(id >= 0 && id < this.vocabSize)) throw new RangeError(`decode: ids must be in [0, ${this.vocabSize}); received ${id}`);
    return !(options.skipSpecial && this.added.isSpecial(id));
  }

  idOf(token: string): number | undefined {
    return this.ids.get(token);
  }

  tokenOf(id: number): string | undefined {
    return this.tokens[id];
  }

  byteLength(id: number): number {
    return this.added.isSpecial(id) ? 0 : this.starts[id + 1] - this.starts[id];
  }

  hash(): string {
    return createHash('sha256').update(JSON.stringify(this)).digest('hex');
  }

  toJSON(): object {
    return this.settings?.json ?? bytePairJson(this.tokens, this.merges);
  }
}
