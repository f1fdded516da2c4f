import { z } from 'zod';
import { choices, number, section, text, whole } from './fields.js';

/** The strategies there are. */
export const STRATEGIES = ['near_duplicates', 'length', 'repetition', 'language', 'perplexity', 'ifd', 'reward', 'diversity'] as const;
export type StrategyName = (typeof STRATEGIES)[number];

const part = (meaning: string) => number('a number from 0 to 1', (value) => value >= 0 && value <= 1, { meaning });
const limit = (meaning: string) => number('a number, 0 or more', (value) => value >= 0, { meaning, computed: 'none' }).optional();
const tokens = (meaning: string, computed = 'none') => whole(0, { meaning, computed }).optional();
const keep = (meaning: string) =>
  number('a number above 0, 1 at most', (value) => value > 0 && value <= 1, { meaning, computed: 'all that the limits leave' }).optional();

/** The parameters of each strategy that has some. */
export const strategyKeys = {
  near_duplicates: section(
    {
      threshold: number('a number above 0, 1 at most', (value) => value > 0 && value <= 1, {
        meaning: 'Drop a conversation whose set of n-grams has at least this Jaccard similarity with that of an earlier one that is kept.',
        source: 'Lee et al. 2022',
      }).default(0.8),
      words: whole(1, { meaning: 'Words in an n-gram; characters for Chinese.', source: 'FineWeb 2024, as in `data clean`' }).default(5),
    },
    { meaning: 'Conversations nearly the same as earlier ones.' },
  ),
  length: section(
    {
      min_tokens: tokens('Fewest tokens of a conversation, with the marks of the template.'),
      max_tokens: tokens('Most tokens of a conversation.', '`context_length`'),
      min_answer_tokens: whole(0, { meaning: 'Fewest tokens of its answers, with the marks that end them; 2: it is not empty.' }).default(
        2,
      ),
      max_answer_tokens: tokens('Most tokens of its answers.'),
    },
    { meaning: 'Length in tokens.' },
  ),
  repetition: section(
    {
      max_lines: part('Largest part of the lines of the answers that stand in them before.').default(0.3),
      max_ngrams: part('Largest part of the characters of the answers in n-grams that stand in them before.').default(0.3),
      words: whole(1, { meaning: 'Words in such an n-gram; 1.5 times as many characters for Chinese.' }).default(5),
    },
    { meaning: 'Answers that repeat themselves.' },
  ),
  language: section(
    { keep: choices(['en', 'zh', 'other'], { meaning: 'Languages to keep.' }).default(['en', 'zh']) },
    { meaning: 'The language of the conversation, guessed by scripts and function words.' },
  ),
  perplexity: section(
    {
      min: limit('Lowest perplexity of the answers.'),
      max: limit('Highest perplexity of the answers.'),
      keep: keep('Part of the conversations that come to it to keep, lowest perplexity first.'),
    },
    { meaning: 'How surprised the model is by the answers, given what stands before them.' },
  ),
  ifd: section(
    {
      min: limit('Lowest score.'),
      below: number('a number above 0', (value) => value > 0, {
        meaning: 'Keep scores below this; from 1 on the question is no help to the answer.',
        source: 'Li et al. 2023',
      }).default(1),
      keep: keep('Part of the conversations that come to it to keep, highest score first.'),
    },
    { meaning: 'Instruction-following difficulty.' },
  ),
  reward: section(
    {
      model: text({ meaning: 'The reward model: a checkpoint or an ensemble.', computed: 'none', example: 'runs/reward/final' }).optional(),
      min: number('a number', Number.isFinite, { meaning: 'Lowest raw score.', computed: 'none' }).optional(),
      keep: keep('Part of the conversations that come to it to keep, highest score first.'),
    },
    { meaning: 'The score that a reward model gives the last answer.' },
  ),
};

/** Every key of a configuration of `data select`. */
export const selectKeys = z.strictObject(
  {
    strategies: choices(STRATEGIES, {
      meaning: 'What is run, in the order given; each gets what those before it left.',
      example: '[near_duplicates, length, ifd, diversity]',
    }),
    budget: whole(1, {
      meaning:
        'Conversations to end with: `diversity` chooses them; without it the best of the last of `ifd`, `perplexity` and `reward`; without those a sample by hash.',
      computed: 'none: all that the strategies leave',
    }).optional(),
    seed: whole(0, { meaning: 'Of the sample by hash.' }).default(1337),
    checkpoint: text({
      meaning: 'Model of `perplexity`, `ifd` and `diversity`, with its tokenizer and chat template.',
      computed: 'none',
      example: 'runs/base/final',
    }).optional(),
    tokenizer: text({
      meaning: 'tokenizer.json, or a checkpoint with one, for `length` without a model.',
      computed: "the checkpoint's",
      example: 'data/tokenizer.json',
    }).optional(),
    template: text({
      meaning: 'Chat template: `chatml`, `llama3`, `alpaca`, `vicuna`, or a file of Jinja.',
      computed: "the checkpoint's own",
    }).optional(),
    context_length: whole(2, {
      meaning: 'Most tokens that the model is given; a longer conversation has no figure, and a strategy that needs one drops it.',
      computed: "the model's longest",
    }).optional(),
    ...(Object.fromEntries(Object.entries(strategyKeys).map(([name, keys]) => [name, keys.optional()])) as {
      [K in keyof typeof strategyKeys]: z.ZodOptional<(typeof strategyKeys)[K]>;
    }),
  },
  { error: 'must be a list of `key: value` lines' },
);

/** A configuration as written: any key with a default may be missing. */
export type SelectInput = z.input<typeof selectKeys>;

/** The same, each key read by itself. */
export type SelectKeys = z.output<typeof selectKeys>;
