/** Text to ids and back. The three kinds are made by `trainTokenizer` or `loadTokenizer` (tokenizer/index.ts). */
export interface Tokenizer {
  readonly kind: 'bpe' | 'char' | 'word';
  /** Number of ids, special tokens included. */
  readonly vocabSize: number;
  /** Ids of the document marks; -1 where the tokenizer was trained without special tokens (`char` only). */
  readonly special: { readonly bos: number; readonly eos: number; readonly pad: number };
  /** Never adds bos or eos. Text that spells a special token stays text unless `allowSpecial`. Lone surrogates become U+FFFD. */
  encode(text: string, options?: { allowSpecial?: boolean }): number[];
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  decoder(options?: DecodeOptions): StreamingDecoder;
  idOf(token: string): number | undefined;
  /** The token as tokenizer.json spells it. */
  tokenOf(id: number): string | undefined;
  /** UTF-8 bytes of text that a token stands for; 0 for special tokens. */
  byteLength(id: number): number;
  /** SHA-256, in hex, of the canonical tokenizer.json. */
  hash(): string;
  /** The contents of tokenizer.json. */
  toJSON(): object;
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
