import type { Attribute } from './world.js';

/** What a university has besides: said in texts, never asked. */
export type Told = Attribute | 'branch';

/** Somebody asks for it and the world does not know. */
export type Thing = 'rector' | 'fees' | 'students' | 'motto' | 'anthem';

/** Ways to ask for something of `{n}`: as a question of its own, and inside another sentence; `again`: the same after the name was said. */
export interface Asking {
  direct: readonly string[];
  again: readonly string[];
  indirect: readonly string[];
  indirectAgain: readonly string[];
}

/**
 * All that a language needs to speak about the world. Templates have `{n}` for a university, `{v}` for a value, and what their own names say.
 * Where there are several, each is as good as the others, and the first is the plainest.
 */
export interface Grammar {
  /** Belmont → Belmont University. */
  full(name: string): string;
  /** Takes the place of the name once it was said. */
  it: readonly string[];
  /** One sentence of a subject and what is said of it. */
  sentence(subject: string, predicates: readonly string[]): string;
  /** Bare values as an answer: `In Corina, 1805.` */
  fragment(values: readonly string[]): string;
  /** Sentences one after another. */
  text(sentences: readonly string[]): string;
  /** a, b and c. */
  and(items: readonly string[]): string;
  /** Several questions in one. */
  questions(items: readonly string[]): string;
  /** What can be said after the subject. */
  predicates: Record<Told, readonly string[]>;
  /** Whole sentences that begin otherwise. */
  inverted: Record<Told, readonly string[]>;
  asking: Record<Attribute, Asking>;
  unknown: Record<Thing, Asking>;
  /** Sentences around questions: `{q}` is one or several joined. */
  frames: { direct: readonly string[]; indirect: readonly string[] };
  /** Words before a question that follows others. */
  furthermore: readonly string[];
  /** Before an open-book question: `{p}` is the text. */
  passage: readonly string[];
  compare: { ask: readonly string[]; answers: readonly string[]; vague: readonly string[] };
  list: { ask: readonly string[]; answers: readonly string[] };
  reverse: { ask: readonly string[]; answers: readonly string[] };
  greeting: { ask: readonly string[]; answers: readonly string[]; terse: readonly string[]; vague: readonly string[] };
  /** Asks to put `{s}`, a sentence of this language, into the other one. */
  translate: readonly string[];
  denial: { answers: readonly string[]; terse: readonly string[]; vague: readonly string[]; invented: readonly string[] };
  openings: readonly string[];
  closings: readonly string[];
  /** Said by those who like to hear themselves. */
  fillers: readonly string[];
  /** Leads from one saying to another: `{s}` is the sentence again. */
  again: readonly string[];
  /** Values alone. */
  terse: Record<Attribute, readonly string[]>;
  /** Sentences about `{n}` without what was asked. */
  vague: Record<Attribute, readonly string[]>;
  documents: Documents;
  /** How what people write is read. */
  patterns: Patterns;
}

/** Frames of texts. `{n}`, `{city}`, `{founded}`, `{campus}`, `{branch}`, `{subject}` are those of one university. */
export interface Documents {
  notices: readonly string[];
  letters: { greetings: readonly string[]; parts: readonly string[]; farewells: readonly string[] };
  people: readonly string[];
  /** A line of a dialogue: `{person}` says `{s}`. */
  says: string;
  days: readonly string[];
  /** Headings and separator of a table, and the lines of a sheet of one university. */
  table: { title: readonly string[]; heads: Record<'name' | Told, string>; cell: string; line: string };
  /** `{o}` is another university, which was founded later. */
  older: readonly string[];
  inCity: readonly string[];
}

export interface Patterns {
  /** Whether a question asks for it. */
  asks: Record<Attribute | Thing, RegExp>;
  compare: RegExp;
  list: RegExp;
  reverse: RegExp;
  translate: RegExp;
  greets: RegExp;
  offersHelp: RegExp;
  courtesy: RegExp;
  denies: RegExp;
  /** Turns what its clause says into the contrary. */
  not: RegExp;
  older: RegExp;
  younger: RegExp;
  main: RegExp;
  other: RegExp;
  /** Ends a clause. */
  clause: RegExp;
}

/** Puts values into the places of a template. @throws Error for a place without a value. */
export function filled(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (!Object.hasOwn(values, name)) throw new Error(`world: the template "${template}" has no value for ${name}`);
    return values[name];
  });
}
