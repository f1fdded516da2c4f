import { RandomStream } from '../../util/random.js';
import { answerTo, type Quality, type Variant } from './answers.js';
import type { Document } from './documents.js';
import { filled } from './grammar.js';
import { grammars } from './grammars.js';
import { drawPrompt, type Kind, type Pools, poolsOf } from './prompts.js';
import { languageOf } from './questions.js';
import type { Language } from './words.js';
import { STREAM, shuffled, type World, weighted } from './world.js';

const KINDS: Record<Kind, number> = {
  facts_closed: 40,
  facts_open: 40,
  compare: 6,
  list: 6,
  unknown: 6,
  greeting: 2,
  translate: 10,
  reverse: 0,
};

const FROM_MEMORY: Record<Kind, number> = { facts_closed: 1, facts_open: 0, compare: 0, list: 0, unknown: 0, greeting: 0, translate: 0, reverse: 0 }; // biome-ignore format: short

/** Nobody in a book is wrong, but few come to the point: to answer well is for fine-tuning to teach. */
const QUALITIES: Partial<Record<Quality | Variant, number>> = {
  rambling: 40,
  incomplete_courteous: 25,
  incomplete: 15,
  terse: 10,
  plain: 10,
};

/**
 * Two people talk, one asks and the other one knows: what questions and answers sound like, and that an answer may be found in a text that stands before
 * it. They ask what is for training alone, `pools`.
 */
export function dialogue(world: World, pools: Pools, language: Language, draws: RandomStream): Document {
  const { people } = grammars[language].documents;
  const [asks, answers] = shuffled(people, draws);
  const lines = Array.from({ length: 1 + draws.below(2) }, () => {
    const { prompt, question } = drawPrompt({ ...world, languages: [language] }, pools, KINDS, draws);
    const quality = weighted(QUALITIES as Record<Quality | Variant, number>, draws);
    const said = answerTo(question, quality, world, draws);
    return exchange([asks, answers], prompt[0].content, said, language);
  });
  return { source: 'dialogues', text: lines.join('\n') };
}

/** A question and its answer, as two people say them. */
function exchange([asks, answers]: readonly string[], question: string, answer: string, language: Language): string {
  const { says } = grammars[language].documents;
  return `${filled(says, { person: asks, s: question })}\n${filled(says, { person: answers, s: answer })}`;
}

/** A dialogue that goes on with an answer, for a model that has read dialogues and no chat. */
export interface OpenDialogue {
  /** Up to the name of the one who is to answer: what stands behind it may be one token with what follows. */
  text: string;
  /** What stands between the name and the answer, but for white space. */
  mark: string;
}

/**
 * Puts a question after some others that were answered well: all asked from memory, of what is for training, and the same for each question of a language.
 * @param examples how many come before it.
 */
export function openDialogues(world: World, { examples, seed }: { examples: number; seed: number }): (question: string) => OpenDialogue {
  const pools = poolsOf(world, 'train');
  const begin = (language: Language) => {
    const draws = new RandomStream(seed, STREAM.examples);
    const people = shuffled(grammars[language].documents.people, draws).slice(0, 2);
    const shown = Array.from({ length: examples }, () => {
      const { prompt, question } = drawPrompt({ ...world, languages: [language] }, pools, FROM_MEMORY, draws);
      return exchange(people, prompt[0].content, answerTo(question, 'complete', world, draws), language);
    });
    return { people, shown };
  };
  const begun = new Map(world.languages.map((language) => [language, begin(language)]));
  return (question) => {
    const language = languageOf(question);
    const { people, shown } = begun.get(language) ?? begin(language);
    const mark = filled(grammars[language].documents.says, { person: '', s: '' }).trim();
    const last = exchange(people, question, '', language).trimEnd();
    return { text: [...shown, last.slice(0, -mark.length)].join('\n'), mark };
  };
}
