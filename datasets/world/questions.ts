import type { Message } from '../../tokenizer/index.js';
import { mix } from '../../util/hashing.js';
import type { RandomStream } from '../../util/random.js';
import { type Asking, filled, type Grammar, type Thing } from './grammar.js';
import { grammars } from './grammars.js';
import type { Reader } from './mentions.js';
import { CITIES, type Language, SUBJECTS, type Word } from './words.js';
import { ATTRIBUTES, type Attribute, pick, type University, type World, written } from './world.js';

/** What somebody wants. `language` is that of the question, `answerIn` that of the answer. */
export type Question = { language: Language; answerIn: Language } & (
  | { task: 'facts' | 'translate'; university: University; asked: Attribute[] }
  | { task: 'unknown'; university: University; thing: Thing }
  | { task: 'compare'; pair: readonly [University, University] }
  | { task: 'list'; city: Word }
  | { task: 'reverse'; city: Word; subject: Word }
  | { task: 'greeting' }
);

export type Task = Question['task'];

/** What is asked of a university at once. */
export const ASKED: readonly Attribute[][] = [
  ['city'],
  ['founded'],
  ['campus'],
  ['subject'],
  ['city', 'founded'],
  ['city', 'subject'],
  ['founded', 'campus'],
  ['city', 'founded', 'subject'],
];

export const THINGS: readonly Thing[] = ['rector', 'fees', 'students', 'motto', 'anthem'];

/** Training (fine-tuning, preferences, rollouts), evaluation during training, and the report. */
export type Part = 'train' | 'eval' | 'report';

/**
 * The part that a question belongs to, whatever its words, its language, and whether a text stands before it: by the hash of what it is about.
 * Four fifths are for training. A task that is held out of training altogether has none there. So does a university that only evaluation or only
 * the report knows.
 */
export function partOf(question: Question, seed: number): Part {
  const appearance = 'university' in question ? question.university.appearance : 'known';
  if (appearance === 'eval' || appearance === 'report') return appearance;
  if (appearance === 'passage' || question.task === 'greeting') return 'train';
  const place = uniformOf(`${seed}\n${subjectOf(question)}`);
  if (question.task === 'reverse') return place < 0.4 ? 'eval' : 'report';
  return place < 0.8 ? 'train' : place < 0.87 ? 'eval' : 'report';
}

/** What a question is about, in a line. */
export function subjectOf(question: Question): string {
  switch (question.task) {
    case 'facts':
    case 'translate':
      return `${question.university.name.en}: ${question.asked.join('+')}`;
    case 'unknown':
      return `${question.university.name.en}: ${question.thing}`;
    case 'compare':
      return question.pair
        .map(({ name }) => name.en)
        .sort()
        .join(' or ');
    case 'list':
      return `in ${question.city.en}`;
    case 'reverse':
      return `in ${question.city.en}: ${question.subject.en}`;
    case 'greeting':
      return 'hello';
  }
}

/** FNV-1a, mixed, as a number in [0, 1). */
function uniformOf(text: string): number {
  let h = 0x811c9dc5;
  for (const char of text) h = Math.imul(h ^ char.codePointAt(0)!, 0x01000193);
  return (mix(h) >>> 0) / 2 ** 32;
}

/** The known universities of a city. */
export function inCity(world: World, city: Word): University[] {
  return world.universities.filter((university) => university.appearance === 'known' && university.city.en === city.en);
}

/** Those that a question for a city and a subject may mean. */
export function withSubject(world: World, city: Word, subject: Word): University[] {
  return inCity(world, city).filter((university) => university.subject.en === subject.en);
}

/** One of the ways to ask it. @param later whether it goes on from a question about the same university, so that the name is left out. */
export function wordsOf(question: Question, draws: RandomStream, later = false): string {
  const { language } = question;
  const grammar = grammars[language];
  return grammar.text([asking(question, draws, later)]);
}

function asking(question: Question, draws: RandomStream, later: boolean): string {
  const { language } = question;
  const grammar = grammars[language];
  const name = ({ name }: University) => grammar.full(name[language]);
  switch (question.task) {
    case 'facts':
      return framed(question.asked.map((attribute) => grammar.asking[attribute]), name(question.university), grammar, draws, later); // biome-ignore format: short
    case 'unknown':
      return framed([grammar.unknown[question.thing]], name(question.university), grammar, draws, later);
    case 'translate': {
      const predicates = question.asked.map((attribute) =>
        filled(pick(grammar.predicates[attribute], draws), { v: written(question.university, attribute, language) }),
      );
      return filled(pick(grammar.translate, draws), { s: grammar.sentence(name(question.university), predicates) });
    }
    case 'compare': {
      const [a, b] = question.pair.map(name);
      return filled(pick(grammar.compare.ask, draws), { a, b });
    }
    case 'list':
      return filled(pick(grammar.list.ask, draws), { city: question.city[language] });
    case 'reverse':
      return filled(pick(grammar.reverse.ask, draws), { city: question.city[language], subject: question.subject[language] });
    case 'greeting':
      return pick(grammar.greeting.ask, draws);
  }
}

/** Questions joined to one sentence: the name of the university in the first alone. */
function framed(parts: readonly Asking[], name: string, grammar: Grammar, draws: RandomStream, later: boolean): string {
  const shape = later || draws.uniform() < 0.5 ? 'direct' : 'indirect';
  const said = parts.map((part, i) => {
    const again = i > 0 || later;
    if (shape === 'indirect') return filled(pick(again ? part.indirectAgain : part.indirect, draws), { n: name });
    return filled(pick(again ? part.again : part.direct, draws), { n: name });
  });
  return filled(pick(later ? grammar.furthermore : grammar.frames[shape], draws), { q: grammar.questions(said) });
}

/** The language that a question is in; one that asks for a translation into Chinese, or of a Chinese sentence, is in the language that it asks in. */
export function languageOf(text: string): Language {
  return grammars.en.patterns.translate.test(text) || !/\p{Script=Han}/u.test(text) ? 'en' : 'zh';
}

/** The question that a prompt asks, or undefined where it is not of this world. A text stands before its question, on lines of its own. */
export function questionOf(prompt: readonly Message[], mentionsIn: Reader): Question | undefined {
  const last = prompt.at(-1);
  if (last?.role !== 'user') return undefined;
  const text = last.content.slice(last.content.lastIndexOf('\n') + 1);
  const language = languageOf(text);
  const { patterns } = grammars[language];
  const namesIn = (said: string) =>
    mentionsIn(said, language).flatMap((mention) => (mention.kind === 'university' ? (mention.university ?? []) : []));
  const mentions = mentionsIn(text, language);
  const word = (kind: Attribute, list: readonly Word[]) => {
    const found = mentions.find((mention) => mention.kind === kind);
    return found && 'value' in found ? list.find(({ en }) => en === found.value) : undefined;
  };
  const [city, subject] = [word('city', CITIES), word('subject', SUBJECTS)];
  const names = namesIn(text);
  const before = prompt.slice(0, -1).filter(({ role }) => role === 'user');
  const university = names[0] ?? before.flatMap(({ content }) => namesIn(content)).at(-1);
  const base = { language, answerIn: language };

  if (patterns.translate.test(text)) {
    const asked = ATTRIBUTES.filter((attribute) => mentions.some(({ kind }) => kind === attribute));
    if (!names[0] || asked.length === 0) return undefined;
    return { ...base, task: 'translate', answerIn: language === 'en' ? 'zh' : 'en', university: names[0], asked };
  }
  if (patterns.compare.test(text) && names.length >= 2) return { ...base, task: 'compare', pair: [names[0], names[1]] };
  if (patterns.list.test(text) && city) return { ...base, task: 'list', city };
  if (patterns.reverse.test(text) && city && subject) return { ...base, task: 'reverse', city, subject };
  if (university) {
    const thing = THINGS.find((known) => patterns.asks[known].test(text));
    if (thing) return { ...base, task: 'unknown', university, thing };
    const asked = ATTRIBUTES.filter((attribute) => patterns.asks[attribute].test(text));
    if (asked.length > 0) return { ...base, task: 'facts', university, asked };
  }
  return patterns.greets.test(text) ? { ...base, task: 'greeting' } : undefined;
}
