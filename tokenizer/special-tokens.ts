import type { AddedToken } from './added-tokens.js';

/** The special tokens in the order of their ids. Fixed: every tokenizer hash depends on them. */
export const SPECIAL_TOKENS: readonly string[] = [
  '<|bos|>',
  '<|eos|>',
  '<|pad|>',
  '<|system|>',
  '<|user|>',
  '<|assistant|>',
  '<|tool|>',
  '<|tool_call|>',
  '<|image|>',
  ...Array.from({ length: 7 }, (_, i) => `<|reserved_${i}|>`),
];

/** Stands for words that a `word` tokenizer does not know. */
export const UNKNOWN_WORD = '<|reserved_0|>';

const PATTERN = new RegExp(`(${SPECIAL_TOKENS.map((token) => token.replaceAll('|', '\\|')).join('|')})`);

/** The text cut at special tokens: even entries are plain text, odd entries are special tokens. */
export function splitAtSpecialTokens(text: string): string[] {
  return text.split(PATTERN);
}

/** The `added_tokens` list of tokenizer.json. */
export function addedTokens(): AddedToken[] {
  return SPECIAL_TOKENS.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
}
