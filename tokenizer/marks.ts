import type { AddedToken } from './added-tokens.js';
import type { Tokenizer } from './tokenizer.js';

/** A token that a tokenizer has beside its vocabulary's pieces of text. */
export type Mark = Pick<AddedToken, 'id' | 'content' | 'lstrip' | 'rstrip'>;

/** The added tokens of a tokenizer, found in a chat template's own text. */
export class Marks {
  private readonly marks = new Map<string, Mark>();
  private readonly pattern: RegExp | undefined;
  private readonly special: RegExp | undefined;

  constructor(tokenizer: Tokenizer) {
    const { added_tokens: tokens = [] } = tokenizer.toJSON() as { added_tokens?: readonly AddedToken[] };
    for (const token of tokens) this.marks.set(token.content, token);
    this.pattern = anyOf(tokens);
    this.special = anyOf(tokens.filter(({ special }) => special));
  }

  split(text: string): (string | Mark)[] {
    const parts = this.pattern ? text.split(this.pattern) : [text];
    return parts.flatMap((part, i): (string | Mark)[] => (i % 2 ? [this.marks.get(part)!] : part === '' ? [] : [part]));
  }

  /** Whether a content spells a special token. */
  spelt(text: string): boolean {
    return this.special?.test(text) ?? false;
  }
}

/** Finds the longest of the tokens at a place. */
function anyOf(tokens: readonly AddedToken[]): RegExp | undefined {
  const longestFirst = tokens.map(({ content }) => content).sort((a, b) => b.length - a.length);
  if (longestFirst.length === 0) return undefined;
  return new RegExp(`(${longestFirst.map((token) => token.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|')})`);
}
