import type { Message } from '../../tokenizer/index.js';
import { RandomStream } from '../../util/random.js';
import type { Conversation, Prompt } from '../conversations.js';
import type { Preference } from '../preferences.js';
import { ANNOTATORS, simulatedRanks } from './annotators.js';
import { answerTo, type Quality, referenceOf, type Variant } from './answers.js';
import { dialogue } from './dialogues.js';
import { type Document, documentOf } from './documents.js';
import type { Gold } from './gold.js';
import { type Asked, drawPrompt, type Kind, type Pools, poolsOf, sourceOf } from './prompts.js';
import { type Part, type Question, wordsOf } from './questions.js';
import { pick, STREAM, shuffled, type World, weighted } from './world.js';

/** Rows of a world of size 1. */
export const ROWS = { corpus: 36000, conversations: 3000, preferences: 2500, rollout: 2500, eval: 200, report: 600 };

/** Of what quality demonstrations are: the best is not the most frequent, else a model that says what is likeliest has nothing to gain. */
export const QUALITIES: Readonly<Record<Quality, number>> = { complete: 0.12, terse: 0.45, incomplete: 0.18, wrong: 0.05, rambling: 0.2 };

const KINDS: Readonly<Record<'train' | 'judged', Record<Kind, number>>> = {
  train: { facts_closed: 45, facts_open: 25, compare: 7, list: 6, unknown: 8, greeting: 4, translate: 15, reverse: 0 },
  judged: { facts_closed: 50, facts_open: 27, compare: 6, list: 4, unknown: 6, greeting: 0, translate: 15, reverse: 7 },
};

/** Share of dialogues among the documents. */
const DIALOGUES = 0.25;

/** Share of conversations with a second question about the same university. */
const SECOND_QUESTIONS = 0.1;

/** What can be wrong with an answer, and answers that differ in it alone; the first is the best. */
const CONTRASTS: Readonly<Record<'manner' | 'completeness' | 'facts' | 'mixed', readonly (Quality | Variant)[]>> = {
  manner: ['complete', 'plain', 'terse', 'rambling'],
  completeness: ['complete', 'complete', 'incomplete_courteous', 'incomplete_courteous'],
  facts: ['complete', 'complete', 'wrong_courteous', 'wrong_courteous'],
  mixed: ['complete', 'terse', 'incomplete', 'wrong'],
};

export function* corpus(world: World): Generator<Document> {
  const draws = new RandomStream(world.seed, STREAM.corpus);
  const pools = poolsOf(world, 'train');
  for (let i = 0; i < rows(world, ROWS.corpus); i++) {
    const language = pick(world.languages, draws);
    yield draws.uniform() < DIALOGUES ? dialogue(world, pools, language, draws) : documentOf(world, language, draws);
  }
}

/** Demonstrations: `source` is the kind of question and the quality, `facts_closed/terse`. */
export function* conversations(world: World): Generator<Conversation> {
  const draws = new RandomStream(world.seed, STREAM.conversations);
  const pools = poolsOf(world, 'train');
  for (let i = 0; i < rows(world, ROWS.conversations); i++) {
    const asked = drawPrompt(world, pools, KINDS.train, draws);
    const quality = weighted(QUALITIES, draws);
    const answer = (question: Question): Message => ({ role: 'assistant', content: answerTo(question, quality, world, draws) });
    const messages = [...asked.prompt, answer(asked.question)];
    const second = draws.uniform() < SECOND_QUESTIONS ? secondQuestion(asked, pools, draws) : undefined;
    if (second) messages.push({ role: 'user', content: wordsOf(second, draws, true) }, answer(second));
    yield { messages, source: `${asked.kind}/${quality}` };
  }
}

/** Another closed-book question about the university of the first, from the same part. */
function secondQuestion({ kind, question }: Asked, pools: Pools, draws: RandomStream): Question | undefined {
  if (kind !== 'facts_closed' || question.task !== 'facts') return undefined;
  const { university, asked, language, answerIn } = question;
  const others = pools.facts_closed.filter(
    (other) => other.task === 'facts' && other.university === university && !other.asked.some((attribute) => asked.includes(attribute)),
  );
  return others.length === 0 ? undefined : { ...pick(others, draws), language, answerIn };
}

/**
 * Answers of the generator, right and corrupted, as simulated annotators rank them: `source` is what they differ in (manner, completeness, facts_open,
 * facts_closed, or mixed), `scores` the gold reward. Annotators take turns; every tenth prompt is ranked by all.
 */
export function* preferences(world: World, gold: Gold): Generator<Preference> {
  const draws = new RandomStream(world.seed, STREAM.preferences);
  const pools = poolsOf(world, 'train');
  const weights = { ...KINDS.train, greeting: 0 };
  for (let i = 0; i < rows(world, ROWS.preferences); i++) {
    const { prompt, question, kind } = drawPrompt(world, pools, weights, draws);
    const contrast = weighted({ manner: 30, completeness: 20, facts: 30, mixed: 20 }, draws);
    const answers = CONTRASTS[contrast].map((quality) => answerTo(question, quality, world, draws));
    const responses = shuffled([...new Set(answers)], draws);
    const scores = responses.map((response) => gold(prompt, response, true).total);
    const source = contrast === 'facts' ? (kind === 'facts_open' ? 'facts_open' : 'facts_closed') : contrast;
    for (const annotator of i % 10 === 0 ? ANNOTATORS : [ANNOTATORS[i % ANNOTATORS.length]]) {
      const ranks = simulatedRanks(scores, annotator, { seed: world.seed, row: i });
      yield { prompt, responses, ranks, source, annotator: annotator.name, scores };
    }
  }
}

/** Prompts of a part, no two alike, each with the best answer. Where there are not so many, fewer. */
export function* prompts(world: World, part: Part): Generator<Prompt> {
  const name = part === 'train' ? 'rollout' : part;
  const draws = new RandomStream(world.seed, STREAM[name]);
  const pools = poolsOf(world, part);
  const count = part === 'train' ? rows(world, ROWS.rollout) : Math.round(ROWS[part] * Math.min(1, world.size));
  const seen = new Set<string>();
  for (let tries = 0; seen.size < count && tries < 20 * count; tries++) {
    const asked = drawPrompt(world, pools, KINDS[part === 'train' ? 'train' : 'judged'], draws);
    const text = asked.prompt[0].content;
    if (seen.has(text)) continue;
    seen.add(text);
    yield { prompt: asked.prompt, reference: referenceOf(asked.question, world, draws), source: sourceOf(asked) };
  }
}

const rows = (world: World, ofSizeOne: number) => Math.round(ofSizeOne * world.size);
