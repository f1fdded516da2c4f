import { CAMPUSES, CITIES, type Language, NAMES, SUBJECTS, type Word } from './words.js';
import type { Attribute, University } from './world.js';

/** A university or a value that a text names; `at` … `end` are its characters. A campus is `campus` whether or not it is a main one. */
export type Mention = { at: number; end: number } & (
  | { kind: 'university'; university: University | undefined } // of this name there is none
  | { kind: Attribute; value: string } // in English; of a year its digits
);

type Entry = { kind: 'university'; university: University | undefined } | { kind: 'city' | 'campus' | 'subject'; value: string };

export type Reader = (text: string, language: Language) => Mention[];

/** Finds what texts name, in the spelling of one language. */
export function reader(universities: readonly University[]): Reader {
  const [english, chinese] = (['en', 'zh'] as const).map((language) => lexicon(universities, language));
  const longest = Math.max(...[...chinese.keys()].map((word) => word.length));
  return (text, language) => (language === 'en' ? inEnglish(text, english) : inChinese(text, chinese, longest));
}

function lexicon(universities: readonly University[], language: Language): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  const add = (list: readonly Word[], entryOf: (word: Word) => Entry) => {
    for (const word of list) entries.set(word[language].toLowerCase(), entryOf(word));
  };
  add([...NAMES.short, ...NAMES.long], () => ({ kind: 'university', university: undefined }));
  for (const university of universities) entries.set(university.name[language].toLowerCase(), { kind: 'university', university });
  add(CITIES, ({ en }) => ({ kind: 'city', value: en }));
  add(CAMPUSES, ({ en }) => ({ kind: 'campus', value: en }));
  add(SUBJECTS, ({ en }) => ({ kind: 'subject', value: en }));
  return entries;
}

/** Word by word: a year, a campus of two words, a word; a capitalised word before "University" is a name. */
function inEnglish(text: string, entries: ReadonlyMap<string, Entry>): Mention[] {
  const found: Mention[] = [];
  for (const match of text.matchAll(/\d+|\p{L}+(?: campus\b)?/giu)) {
    const [said] = match;
    const place = { at: match.index, end: match.index + said.length };
    if (/^\d/.test(said)) {
      if (said.length >= 3) found.push({ ...place, kind: 'founded', value: said });
      continue;
    }
    const entry = entries.get(said.toLowerCase());
    if (entry) found.push({ ...place, ...entry });
    else if (
      /^\p{Lu}\p{Ll}+$/u.test(said) &&
      !/^(The|This|That|Which|Our|Your|A)$/.test(said) &&
      /^ University\b/.test(text.slice(place.end))
    )
      found.push({ ...place, kind: 'university', university: undefined });
  }
  return found;
}

/** From left to right, at each place the longest word that begins there. */
function inChinese(text: string, entries: ReadonlyMap<string, Entry>, longest: number): Mention[] {
  const found: Mention[] = [];
  for (let at = 0; at < text.length; ) {
    const year = /^\d+/.exec(text.slice(at, at + 20))?.[0];
    if (year !== undefined) {
      if (year.length >= 3) found.push({ at, end: at + year.length, kind: 'founded', value: year });
      at += year.length;
      continue;
    }
    let length = Math.min(longest, text.length - at);
    while (length > 1 && !entries.has(text.slice(at, at + length))) length--;
    if (length > 1) found.push({ at, end: at + length, ...entries.get(text.slice(at, at + length))! });
    at += Math.max(1, length);
  }
  return found;
}
