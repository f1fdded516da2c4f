import type { IdList } from './id-list.js';

/** Text to ids and back. The three kinds are made by `trainTokenizer` or `loadTokenizer` (tokenizer/index.ts). */
export interface Tokenizer {
  readonly kind: 'bpe' | 'char' | 'word';
  /** Number of ids, special tokens included. */
  readonly vocabSize: number;
  readonly special: SpecialIds;
  /** Another's tokenizer_config.json, as it was read beside its tokenizer.json. */
  readonly config?: object;
  /** Never adds bos or eos. Text that spells a special token stays text unless `allowSpecial`. Lone surrogates become U+FFFD. */
  encode(text: string, options?: EncodeOptions): number[];
  /** `encode` for much text: takes UTF-8 (valid, which is not checked) and appends the ids. */
  encodeUtf8(text: Uint8Array, out: IdList, options?: EncodeOptions): void;
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  decoder(options?: DecodeOptions): StreamingDecoder;
  idOf(token: string): number | undefined;
  /** The token as tokenizer.json spells it. */
  tokenOf(id: number): string | undefined;
  /** UTF-8 bytes of text that a token stands for; 0 for special tokens. */
  byteLength(id: number): number;
  /** SHA-256, in hex, of the canonical tokenizer.json; of another's, as it was read. */
  hash(): string;
  /** The contents of tokenizer.json. */
  toJSON(): object;
}

/** Ids of the document marks; -1 where there is none: a `char` tokenizer trained without special tokens, another's that names none. */
export interface SpecialIds {
  readonly bos: number;
  readonly eos: number;
  readonly pad: number;
}

export interface EncodeOptions {
  /** Read text that spells a special token as that token. */
  allowSpecial?: boolean;
}

export interface DecodeOptions {
  /** Leave special tokens out of the text. */
  skipSpecial?: boolean;
}

/** Turns ids into text as they come; never gives half a character. */
export interface StreamingDecoder {
  push(id: number): string;
  /** What is left: U+FFFD where the ids ended within a character. */
  end(): string;
}
