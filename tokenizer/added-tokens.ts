import { classes, LETTER, LINE_END, MARK, SPACE } from './classes.js';
import type { Normalizer } from './normalize.js';
import { WORD_CHARACTERS } from './unicode.js';

/** An entry of `added_tokens` in tokenizer.json. */
export interface AddedToken {
  id: number;
  content: string;
  /** Only where no letter, digit or underscore stands before or after it. */
  single_word: boolean;
  /** It takes the spaces before it, or after it, with it. */
  lstrip: boolean;
  rstrip: boolean;
  /** It is looked for in the normalized text, itself normalized. */
  normalized: boolean;
  special: boolean;
}

interface Matcher {
  /** Any of the tokens; of two that begin at one place, the longer. */
  pattern: RegExp;
  tokens: Map<string, AddedToken>;
}

/** Tokens that are found in a text before it is cut into words, as Python `tokenizers` finds them. */
export class AddedTokens {
  private readonly texts = new Map<number, string>();
  private readonly special = new Set<number>();
  private readonly ordinary: boolean;
  private readonly raw: Matcher | undefined;
  private readonly normalized: Matcher | undefined;

  constructor(
    tokens: readonly AddedToken[],
    private readonly normalize: Normalizer = (text) => text,
  ) {
    for (const token of tokens) {
      this.texts.set(token.id, token.normalized ? normalize(token.content) : token.content);
      if (token.special) this.special.add(token.id);
    }
    this.ordinary = tokens.some((token) => !token.special);
    this.raw = this.matcher(tokens.filter((token) => !token.normalized));
    this.normalized = this.matcher(tokens.filter((token) => token.normalized));
  }

  private matcher(tokens: AddedToken[]): Matcher | undefined {
    if (tokens.length === 0) return undefined;
    const byText = new Map(tokens.map((token) => [this.texts.get(token.id)!, token]));
    const longestFirst = [...byText.keys()].sort((a, b) => b.length - a.length);
    return { pattern: new RegExp(longestFirst.map(escaped).join('|'), 'g'), tokens: byText };
  }

  /** Whether a text can hold any. */
  any(allowSpecial: boolean): boolean {
    return this.ordinary || (allowSpecial && this.special.size > 0);
  }

  isSpecial(id: number): boolean {
    return this.special.has(id);
  }

  /** What an added token stands for; undefined for other ids. */
  text(id: number): string | undefined {
    return this.texts.get(id);
  }

  /** Calls `visit` with the parts of a text in their order: the id of an added token, or normalized text between them. */
  split(text: string, allowSpecial: boolean, visit: (part: string | number) => void): void {
    this.find(text, this.raw, allowSpecial, (part) => {
      if (typeof part === 'number') visit(part);
      else this.find(this.normalize(part), this.normalized, allowSpecial, visit);
    });
  }

  /** Special tokens that are not allowed are found and passed over, so that nothing else is found within one. */
  private find(text: string, matcher: Matcher | undefined, allowSpecial: boolean, visit: (part: string | number) => void): void {
    let position = 0;
    if (matcher !== undefined && this.any(allowSpecial)) {
      const { pattern } = matcher;
      pattern.lastIndex = 0;
      for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
        const { 0: match, index } = found;
        const token = matcher.tokens.get(match)!;
        let start = index;
        let end = index + match.length;
        if (token.special && !allowSpecial) continue;
        if (token.single_word && (isWord(characterBefore(text, start)) || isWord(text.codePointAt(end)))) continue;
        if (token.lstrip) while (start > position && isSpace(text.charCodeAt(start - 1))) start--;
        if (token.rstrip) while (end < text.length && isSpace(text.charCodeAt(end))) end++;
        if (position < start) visit(text.slice(position, start));
        visit(token.id);
        position = end;
      }
    }
    if (position < text.length) visit(position === 0 ? text : text.slice(position));
  }
}

function characterBefore(text: string, i: number): number | undefined {
  const unit = text.charCodeAt(i - 1);
  return text.codePointAt(unit >= 0xdc00 && unit < 0xe000 ? i - 2 : i - 1);
}

/** All spaces are one UTF-16 unit. */
function isSpace(unit: number): boolean {
  const kind = classes()[unit];
  return kind === SPACE || kind === LINE_END;
}

function isWord(codePoint: number | undefined): boolean {
  if (codePoint === undefined) return false;
  const kind = classes()[codePoint];
  return kind === LETTER || kind === MARK || WORD_CHARACTERS.some(([first, last]) => codePoint >= first && codePoint <= last);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
