import type { RandomStream } from '../../util/random.js';
import { answerTo, type Quality, type Variant } from './answers.js';
import type { Document } from './documents.js';
import { filled } from './grammar.js';
import { grammars } from './grammars.js';
import { drawPrompt, type Kind, type Pools } from './prompts.js';
import type { Language } from './words.js';
import { shuffled, type World, weighted } from './world.js';

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
  const { people, says } = grammars[language].documents;
  const [asks, answers] = shuffled(people, draws);
  const lines = Array.from({ length: 1 + draws.below(2) }, () => {
    const { prompt, question } = drawPrompt({ ...world, languages: [language] }, pools, KINDS, draws);
    const quality = weighted(QUALITIES as Record<Quality | Variant, number>, draws);
    const said = answerTo(question, quality, world, draws);
    return `${filled(says, { person: asks, s: prompt[0].content })}\n${filled(says, { person: answers, s: said })}`;
  });
  return { source: 'dialogues', text: lines.join('\n') };
}
