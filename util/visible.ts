/** Text shown so that a reader sees what is there: line breaks, control characters, pieces of characters. */

/** One token to be shown. */
export interface TokenPiece {
  id: number;
  /** What it stands for. Where it holds part of a character: `textOfBytes` of its bytes. */
  text: string;
  /** A mark such as <|eos|>, not text. */
  special?: boolean;
  /** Whether it is shown fainter: a token that the model is not taught to predict. Missing where nothing says. */
  faint?: boolean;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const hex = (byte: number) => `⟨${byte.toString(16).toUpperCase().padStart(2, '0')}⟩`;

/** The text of UTF-8; each byte that is not part of a whole character stands as ⟨E6⟩. */
export function textOfBytes(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = bytes[i] < 0x80 ? 1 : bytes[i] < 0xc0 ? 0 : bytes[i] < 0xe0 ? 2 : bytes[i] < 0xf0 ? 3 : bytes[i] < 0xf8 ? 4 : 0;
    const character = length > 0 ? decoded(bytes.subarray(i, i + length)) : undefined;
    text += character ?? hex(bytes[i]);
    i += character === undefined ? 1 : length;
  }
  return text;
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

// Controls and lone surrogates; marks that turn the direction of text, and the byte order mark. Not the joiners within emoji.
const HIDDEN = /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;
const MARK_FIRST = /^[\p{M}]/u;
const NOTHING_SEEN = /^[\p{M}\p{Cf}]+$/u;

/** Replaces control characters by signs for them (␀, ␛, ⟨U+202E⟩). Line feeds and tabs stay unless `all`. */
export function withoutControls(text: string, all = false): string {
  return text.replace(HIDDEN, (character) => {
    if (!all && (character === '\n' || character === '\t')) return character;
    const code = character.codePointAt(0)!;
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? '␡' : codePoint(code);
  });
}

const codePoint = (code: number) => `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;

/**
 * The text of a token with ↵ for line feeds, ⇥ for tabs, ␣ where spaces would not be seen (at the end, or more than one in a row), ◌ under a
 * mark that begins it. On one line: whoever prints it breaks the line after ↵.
 */
export function visibleToken(text: string): string {
  if (text === '') return '⟨⟩';
  if (NOTHING_SEEN.test(text))
    return Array.from(text, (character) => (MARK_FIRST.test(character) ? `◌${character}` : sign(character))).join('');
  const shown = text.replace(/ (?= |$)/g, '␣').replace(/(?<=␣) /g, '␣');
  return withoutControls(shown.replaceAll('\n', '↵').replaceAll('\t', '⇥').replace(MARK_FIRST, '◌$&'), true);
}

const sign = (character: string) => codePoint(character.codePointAt(0)!);
