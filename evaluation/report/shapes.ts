/**
 * What a report reads of a run's JSON files. Another version may have written them, a step may have been cut off: every field may be missing, and one
 * of another type counts as missing.
 */
import { z } from 'zod';

const optional = <T extends z.ZodType>(type: T) => type.optional().catch(undefined);
const text = optional(z.string());
const number = optional(z.number());
/** An object whose entries that are of another type are left out; empty where it is none. */
const entriesOf = <T extends z.ZodType>(type: T) =>
  z
    .record(z.string(), z.unknown())
    .catch({})
    .transform((entries) => {
      const read = Object.entries(entries).map(([key, value]) => [key, type.safeParse(value)] as const);
      return Object.fromEntries(
        read.flatMap(([key, { success, data }]) => (success && data !== undefined ? [[key, data as z.output<T>]] : [])),
      );
    });
/** A list whose items that are of another type are left out. */
const listOf = <T extends z.ZodType>(type: T) =>
  z
    .array(z.unknown())
    .catch([])
    .transform((items) => items.flatMap((item) => optionalList(type.safeParse(item))));
const optionalList = <T>({ success, data }: { success: boolean; data?: T }): T[] => (success && data !== undefined ? [data] : []);
const pair = z.tuple([z.number(), z.number()]);
const numbers = entriesOf(z.number());

const interval = z.object({ mean: z.number(), ci95: optional(pair), n: number });
/** A mean with its 95 % interval. */
export type Interval = z.output<typeof interval>;

const decoded = z.object({
  temperature: number,
  gold_reward: optional(interval),
  parts: numbers,
  by_kind: entriesOf(interval),
  score: optional(interval),
  exact_match: number,
  kl: optional(interval),
  entropy: number,
  distinct_1: number,
  distinct_2: number,
  response_length: number,
  ended: number,
  win_rate: optional(interval),
});
export type Decoded = z.output<typeof decoded>;

const verdictModel = z.object({
  checkpoint: text,
  how: text,
  gold_reward: optional(interval),
  eval_loss: number,
  text_bits_per_byte: number,
  decodings: z.object({ sampled: optional(decoded), greedy: optional(decoded) }).catch({}),
});
export type VerdictModel = z.output<typeof verdictModel>;

const answer = z.object({ text: z.string(), gold: number, parts: numbers, score: number, ended: optional(z.boolean()) });
const example = z.object({ prompt: z.string(), source: text, reference: text, answers: entriesOf(answer) });
export type Example = z.output<typeof example>;

/** verdict.json: the models of a run on the same prompts. */
export const verdict = z.object({
  prompts: z.object({ path: text, count: number }).catch({}),
  seed: number,
  reference: text,
  models: entriesOf(verdictModel),
  examples: listOf(example),
});
export type Verdict = z.output<typeof verdict>;

const output = z.object({ path: text, type: text, sha256: text });
/** step.json, and an entry of lineage.json. */
export const stepRecord = z.object({
  name: text,
  kind: text,
  directory: text,
  key: text,
  seed: number,
  config: entriesOf(z.unknown()),
  inputs: entriesOf(z.string()),
  outputs: entriesOf(output),
  state: text,
  started: text,
  seconds: number,
  peak_memory_bytes: number,
  error: text,
});
export type StepRecord = z.output<typeof stepRecord>;

/** environment.json of a stage. */
export const environment = entriesOf(z.unknown());

export const lineage = z.object({ pipeline: text, environment: entriesOf(z.unknown()), steps: listOf(stepRecord) });
export type Lineage = z.output<typeof lineage>;

/** summary.json of a stage. */
export const summary = z.object({
  stage: text,
  checkpoint: text,
  steps: number,
  tokens: number,
  seconds: number,
  tokens_per_second: number,
  peak_memory_bytes: number,
  metrics: numbers,
});
export type Summary = z.output<typeof summary>;

const textScores = z.object({ tokens: number, loss: number, perplexity: number, bits_per_byte: number, token_accuracy: number });
const answerScores = textScores.extend({ answers: number, exact_match: number, normalised_match: number, finished: number });
const accuracy = z.object({ pairs: number, accuracy: number, interval: optional(pair) });
export type Accuracy = z.output<typeof accuracy>;
const bin = z.object({ pairs: z.number(), confidence: z.number(), accuracy: z.number() });
const calibration = z.object({ ece: number, bins: listOf(bin) });
const rewardMetrics = accuracy.extend({
  prompts: number,
  margin: number,
  loss: number,
  tau: number,
  sources: entriesOf(accuracy),
  byLength: entriesOf(accuracy),
  similarLength: optional(accuracy),
  longerIsBetter: number,
  calibration: optional(calibration),
  temperature: number,
  calibrated: optional(calibration),
  histogram: listOf(z.object({ from: z.number(), to: z.number(), pairs: z.number() })),
});
export type RewardMetrics = z.output<typeof rewardMetrics>;

const textEvaluation = z.object({ kind: z.literal('text'), data: text, part: text, all: textScores, sources: entriesOf(textScores) });
const conversationEvaluation = z.object({
  kind: z.literal('conversations'),
  data: text,
  part: text,
  conversations: number,
  all: answerScores,
  sources: entriesOf(answerScores),
});
const preferenceEvaluation = z.object({
  kind: z.literal('preferences'),
  data: text,
  part: text,
  rows: number,
  metrics: rewardMetrics,
  spread: number,
  boundary: optional(z.object({ distance: number, outside: number })),
  best_of_n: listOf(z.object({ n: z.number(), gold: z.number(), proxy: number, oracle: number, kl: z.number() })),
});
export type TextEvaluation = z.output<typeof textEvaluation>;
export type ConversationEvaluation = z.output<typeof conversationEvaluation>;
export type PreferenceEvaluation = z.output<typeof preferenceEvaluation>;

/** evaluation.json: what `fourfold eval --json` prints. */
export const evaluations = listOf(z.discriminatedUnion('kind', [textEvaluation, conversationEvaluation, preferenceEvaluation]));
export type Evaluation = z.output<typeof evaluations>[number];
