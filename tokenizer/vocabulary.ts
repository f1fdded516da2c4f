import { createHash } from 'node:crypto';
import { UserError } from '../util/errors.js';
import type { IdList } from './id-list.js';
import { addedTokens, SPECIAL_TOKENS, splitAtSpecialTokens, UNKNOWN_WORD } from './special-tokens.js';
import { CHARACTER_PATTERN, splitCharacters, splitWords, WORD_PATTERN, wellFormed } from './split.js';
import type { DecodeOptions, EncodeOptions, SpecialIds, StreamingDecoder, Tokenizer } from './tokenizer.js';

const REPLACEMENT = '\ufffd';

/**
 * A tokenizer whose tokens are the pieces that text is cut into: characters (`char`) or words, numbers and signs (`word`).
 * A piece that is not in the vocabulary becomes U+FFFD where that is in it (`char`) or `<|reserved_0|>` (`word`); else it is an error.
 */
export class VocabularyTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly special: SpecialIds;
  private readonly ids: Map<string, number>;
  private readonly unknown: number | undefined;
  private readonly specialCount: number;

  /** @param tokens by id; the special tokens first, or none of them. */
  constructor(
    readonly kind: 'char' | 'word',
    private readonly tokens: readonly string[],
  ) {
    this.vocabSize = tokens.length;
    this.ids = new Map(tokens.map((token, id) => [token, id]));
    const hasSpecial = tokens[0] === SPECIAL_TOKENS[0];
    this.specialCount = hasSpecial ? SPECIAL_TOKENS.length : 0;
    this.special = hasSpecial ? { bos: 0, eos: 1, pad: 2 } : { bos: -1, eos: -1, pad: -1 };
    this.unknown = this.ids.get(kind === 'char' ? REPLACEMENT : UNKNOWN_WORD);
  }

  encode(text: string, options: EncodeOptions = {}): number[] {
    const out: number[] = [];
    const append = (piece: string) => {
      out.push(this.ids.get(piece) ?? this.unknown ?? this.reject(piece));
    };
    const split = this.kind === 'char' ? splitCharacters : splitWords;
    const pieces = options.allowSpecial && this.specialCount > 0 ? splitAtSpecialTokens(text) : [text];
    pieces.forEach((piece, i) => {
      if (i % 2 === 1) append(piece);
      else split(wellFormed(piece), append);
    });
    return out;
  }

  encodeUtf8(text: Uint8Array, out: IdList, options?: EncodeOptions): void {
    for (const id of this.encode(Buffer.from(text.buffer, text.byteOffset, text.length).toString('utf8'), options)) out.push(id);
  }

  private reject(character: string): never {
    const codePoint = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
    throw new UserError(
      `encode: the vocabulary of a char tokenizer must hold every character of the text; it has ${this.vocabSize - this.specialCount} characters, ` +
        `${JSON.stringify(character)} (U+${codePoint}) is not one of them. Take the character out, train the tokenizer on text that has it, or use kind: bpe`,
    );
  }

  private textOf(id: number, options: DecodeOptions): string {
    if (!(id >= 0 && id < this.vocabSize)) throw new RangeError(`decode: ids must be in [0, ${this.vocabSize}); received ${id}`);
    return options.skipSpecial && id < this.specialCount ? '' : this.tokens[id];
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    return Array.from(ids, (id) => this.textOf(id, options)).join('');
  }

  decoder(options: DecodeOptions = {}): StreamingDecoder {
    return { push: (id) => this.textOf(id, options), end: () => '' };
  }

  idOf(token: string): number | undefined {
    return this.ids.get(token);
  }

  tokenOf(id: number): string | undefined {
    return this.tokens[id];
  }

  byteLength(id: number): number {
    return id < this.specialCount ? 0 : Buffer.byteLength(this.tokens[id], 'utf8');
  }

  hash(): string {
    return createHash('sha256').update(JSON.stringify(this)).digest('hex');
  }

  /** A `WordLevel` model, which needs a name for unknown pieces even where the vocabulary has none: encoding one is then an error there, too. */
  toJSON(): object {
    const pattern = this.kind === 'char' ? CHARACTER_PATTERN : WORD_PATTERN;
    return {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: this.specialCount > 0 ? addedTokens() : [],
      normalizer: null,
      pre_tokenizer: { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
      post_processor: null,
      decoder: { type: 'Fuse' },
      model: { type: 'WordLevel', vocab: Object.fromEntries(this.ids), unk_token: this.kind === 'char' ? REPLACEMENT : UNKNOWN_WORD },
    };
  }
}
