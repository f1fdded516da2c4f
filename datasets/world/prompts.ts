import type { Message } from '../../tokenizer/index.js';
import type { RandomStream } from '../../util/random.js';
import { article, lines } from './documents.js';
import { filled, type Told } from './grammar.js';
import { grammars } from './grammars.js';
import { ASKED, inCity, type Part, partOf, type Question, THINGS, withSubject, wordsOf } from './questions.js';
import { CITIES, LANGUAGES, type Language } from './words.js';
import { ATTRIBUTES, pick, shuffled, type University, type World, weighted } from './world.js';

/** Kinds of prompt. `facts_open` has a text that says what is asked for; the others are answered from memory. */
export type Kind = 'facts_closed' | 'facts_open' | 'compare' | 'list' | 'reverse' | 'unknown' | 'greeting' | 'translate';

export interface Asked {
  prompt: Message[];
  question: Question;
  kind: Kind;
}

/** Questions of one part, by kind; the language is set when one is drawn. */
export type Pools = Record<Kind, Question[]>;

/** All questions of a part. */
export function poolsOf(world: World, part: Part): Pools {
  const base = { language: 'en', answerIn: 'en' } as const;
  const mine = (questions: Question[]) => questions.filter((question) => partOf(question, world.seed) === part);
  const known = world.universities.filter(({ appearance }) => appearance === 'known');
  const facts = (universities: readonly University[], task: 'facts' | 'translate') =>
    mine(universities.flatMap((university) => ASKED.map((asked): Question => ({ ...base, task, university, asked }))));
  return {
    facts_closed: facts(known, 'facts'),
    facts_open: facts(world.universities, 'facts'),
    translate: facts(known, 'translate').filter((question) => question.task === 'translate' && question.asked.length < 3),
    unknown: mine(known.flatMap((university) => THINGS.map((thing): Question => ({ ...base, task: 'unknown', university, thing })))),
    compare: mine(pairsOf(known).map((pair): Question => ({ ...base, task: 'compare', pair }))),
    list: mine(CITIES.filter((city) => inCity(world, city).length >= 2).map((city): Question => ({ ...base, task: 'list', city }))),
    reverse: mine(
      known
        .filter(({ city, subject }) => withSubject(world, city, subject).length === 1)
        .map(({ city, subject }): Question => ({ ...base, task: 'reverse', city, subject })),
    ),
    greeting: mine([{ ...base, task: 'greeting' }]),
  };
}

/** Pairs of different age: each university with some others, so that their number grows as that of the universities does. */
function pairsOf(universities: readonly University[]): [University, University][] {
  const neighbours = 12;
  return universities.flatMap((a, i) =>
    universities
      .slice(i + 1, i + 1 + neighbours)
      .filter((b) => a.founded !== b.founded)
      .map((b): [University, University] => [a, b]),
  );
}

/** Draws a prompt; kinds that have no question in the pools, or need a second language that the world has not, are left out. */
export function drawPrompt(world: World, pools: Pools, weights: Readonly<Record<Kind, number>>, draws: RandomStream): Asked {
  const possible = (kind: Kind) => pools[kind].length > 0 && (kind !== 'translate' || world.languages.length > 1);
  const kinds = Object.fromEntries(Object.entries(weights).filter(([kind]) => possible(kind as Kind))) as Record<Kind, number>;
  const kind = weighted(kinds, draws);
  const question = inLanguage(turned(pick(pools[kind], draws), draws), pick(world.languages, draws));
  const words = wordsOf(question, draws);
  const content = kind === 'facts_open' ? `${passageFor(question, draws)}\n${words}` : words;
  return { prompt: [{ role: 'user', content }], question, kind };
}

/** Which of two is named first says nothing. */
function turned(question: Question, draws: RandomStream): Question {
  if (question.task !== 'compare' || draws.uniform() < 0.5) return question;
  return { ...question, pair: [question.pair[1], question.pair[0]] };
}

export function inLanguage(question: Question, language: Language): Question {
  const answerIn = question.task === 'translate' ? LANGUAGES.find((other) => other !== language)! : language;
  return { ...question, language, answerIn };
}

/** A text that says what a question asks for, and something else. */
function passageFor(question: Question, draws: RandomStream): string {
  if (question.task !== 'facts') throw new Error(`world: no text answers a question of the kind ${question.task}`);
  const { university, asked, language } = question;
  const others: readonly Told[] = [...ATTRIBUTES.filter((attribute) => !asked.includes(attribute)), 'branch'];
  const about = shuffled([...asked, ...shuffled(others, draws).slice(0, 1 + draws.below(2))], draws);
  const text = draws.uniform() < 0.7 ? article(university, language, draws, about) : lines(university, about, language);
  return filled(pick(grammars[language].passage, draws), { p: text });
}

/** Where a prompt comes from, for tables: its kind, and what it asks of a university. */
export function sourceOf({ kind, question }: Asked): string {
  return question.task === 'facts' ? `${kind}/${question.asked.join('+')}` : kind;
}
