import type { VerdictConfig } from '../configs/verdict-schema.js';
import { type Prompt, readPrompts } from '../datasets/conversations.js';
import { goldOf } from '../datasets/world/gold.js';
import { readWorld } from '../datasets/world/world.js';
import { takeDevice } from '../training/device.js';
import { UserError } from '../util/errors.js';
import { exists, writeFileAtomic } from '../util/files.js';
import { loadRewardModel, type RewardModel } from './reward-model.js';
import { examplesOf, type JudgedAnswer, partsOf, winRate } from './verdict/decoded.js';
import { type Court, type Judged, judgeModel } from './verdict/judge.js';
import { openModels } from './verdict/models.js';
import type { Verdict } from './verdict/types.js';

export type { Decoded, GoldParts, Verdict, VerdictExample, VerdictModel } from './verdict/types.js';

export interface VerdictOptions {
  signal?: AbortSignal;
  /** Told what is being done. */
  onProgress?: (text: string) => void;
}

/**
 * Compares models by the gold reward of their answers to held-out prompts of the built-in world: at temperature 1 and greedy, beside the reward model's
 * score, the divergence from a reference model, and what they have forgotten. The same configuration and device give the same verdict; a prompt's
 * answers depend on no other prompt.
 * @throws UserError for what cannot be read or does not fit together; an AbortError when the signal stopped it.
 */
export async function verdict(config: VerdictConfig, options: VerdictOptions = {}): Promise<Verdict> {
  await takeDevice(config, (text) => console.error(text));
  const world = await readWorld(config.world);
  const prompts = await promptsOf(config);
  const opened: { dispose(): void }[] = [];
  try {
    const reward = config.reward === undefined ? undefined : await openScorer(config.reward);
    if (reward) opened.push(reward);
    const models = openModels(config, prompts, world);
    opened.push(models);
    const reference = await models.take(config.reference);
    const court: Court = { config, ...options, prompts, gold: goldOf(world), reward, reference };
    const judged = new Map<string, Judged>();
    for (const name of Object.keys(config.models)) judged.set(name, await judgeModel(name, await models.take(name), court));
    return verdictOf(config, prompts, judged);
  } finally {
    for (const one of opened) one.dispose();
  }
}

/** Writes a verdict as JSON, in a file that appears when it is complete. */
export async function writeVerdict(path: string, verdict: Verdict): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(verdict, null, 2)}\n`);
}

/** @throws UserError where something lies in the place that may not be replaced. */
export async function checkVerdictOutput(path: string, overwrite = false): Promise<void> {
  if (!overwrite && (await exists(path))) throw new UserError(`verdict: ${path} exists already. Choose another output, or say --overwrite`);
}

/** The verdict of what was found, with what compares the models. */
function verdictOf(config: VerdictConfig, prompts: readonly Prompt[], judged: ReadonlyMap<string, Judged>): Verdict {
  const golds = (answers: readonly JudgedAnswer[]) => answers.map(({ gold }) => gold.total);
  const against = judged.get(config.reference)!;
  for (const [name, { found, ...own }] of judged) {
    if (name === config.reference) continue;
    for (const decoding of ['sampled', 'greedy'] as const) {
      const [mine, other] = [own[decoding], against[decoding]];
      if (mine && other) found.decodings[decoding]!.win_rate = winRate(golds(mine), golds(other));
    }
  }
  return {
    prompts: { path: config.data, count: prompts.length },
    seed: config.seed,
    reference: config.reference,
    models: Object.fromEntries([...judged].map(([name, { found }]) => [name, found])),
    examples: examplesOf(prompts, config.examples).map((row) => ({
      prompt: prompts[row].prompt.at(-1)!.content,
      source: prompts[row].source,
      ...(prompts[row].reference !== undefined && { reference: prompts[row].reference }),
      answers: Object.fromEntries([...judged].map(([name, { sampled }]) => [name, shown(sampled[row])])),
    })),
  };
}

function shown({ text, gold, score, ended }: JudgedAnswer) {
  return { text, gold: gold.total, parts: partsOf(gold), ...(score !== undefined && { score }), ended };
}

async function promptsOf({ data, limit = Number.POSITIVE_INFINITY }: VerdictConfig): Promise<Prompt[]> {
  const prompts: Prompt[] = [];
  for await (const rows of readPrompts(data)) {
    prompts.push(...rows.slice(0, limit - prompts.length));
    if (prompts.length >= limit) break;
  }
  if (prompts.length > 0) return prompts;
  throw new UserError(`verdict: there must be prompts in ${data}; received none. Make some with fourfold data world`);
}

/** @throws UserError for a reward model that cannot score one answer. */
async function openScorer(path: string): Promise<RewardModel> {
  const reward = await loadRewardModel(path);
  if (reward.head === 'scalar') return reward;
  reward.dispose();
  throw new UserError(
    `verdict: reward must have a scalar head, which scores one answer; ${path} compares pairs. Train one with head: scalar`,
  );
}
