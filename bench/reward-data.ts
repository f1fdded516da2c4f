/**
 * What both sides of the reward benchmark read: a reward model with random weights, and pairs that are tokenised already, so that ids are the same
 * for both. Beside them, for our side alone, rankings of four answers.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importData } from '../datasets/import.js';
import { readPreferences } from '../datasets/preferences.js';
import { type PreferenceCounts, preparePreferences, type RankedTokens, totalCounts } from '../datasets/prepare-preferences.js';
import type { ModelConfig } from '../model/config.js';
import { CHAT_TEMPLATE, chatTemplate, trainTokenizer } from '../tokenizer/index.js';
import { type Objective, type RankedGroup, rankedGroup } from '../training/ranked-batches.js';
import { madeUpTexts, writeRandomModel } from './sft-data.js';

/** Two answers behind the same prompt. The names are those that TRL takes. */
export interface EncodedPair {
  chosen_ids: number[];
  rejected_ids: number[];
}

/** Answers behind the same prompt, and their ranks; lower is better, equal is a tie. */
export interface EncodedRanking {
  ids: number[][];
  ranks: number[];
}

export interface RewardData {
  pairs: EncodedPair[];
  rankings: EncodedRanking[];
}

/** What became of the rows that were read. */
type RewardCounts = Record<'pairs' | 'rankings', PreferenceCounts>;

/** Answers in a ranking of the K-way figure. */
const K = 4;
/** What the benchmark learns: ties count, so that four answers are always six pairs. */
export const OBJECTIVE: Objective = { head: 'scalar', loss: 'bradley_terry', ties: 'half', labelSmoothing: 0 };
const SEED = 1337;
const MADE_UP = 400;
const FILES = { pairs: 'dpo_en_demo.json', rankings: 'gsm8k-solutions.jsonl' };

/** Writes `folder`/model and `folder`/data.json: `count` pairs and `rankings` rankings, spread over all that fit. */
export async function writeRewardData(
  folder: string,
  data: string | undefined,
  config: ModelConfig,
  count: Record<'pairs' | 'rankings', number>,
): Promise<RewardData & { counts: RewardCounts }> {
  mkdirSync(folder, { recursive: true });
  if (data === undefined) writeMadeUp(folder);
  const tables = { pairs: join(folder, 'pairs.arrow'), rankings: join(folder, 'rankings.arrow') };
  const texts: string[] = [];
  for (const name of ['pairs', 'rankings'] as const) {
    const file = data === undefined ? join(folder, `${name}.jsonl`) : join(data, FILES[name]);
    await importData({ paths: [file], output: tables[name], overwrite: true });
    for await (const rows of readPreferences(tables[name]))
      texts.push(...rows.flatMap(({ prompt, responses }) => [...prompt.map(({ content }) => content), ...responses]));
  }
  const tokenizer = trainTokenizer(texts, { kind: 'bpe', vocabSize: config.vocab_size });
  const template = chatTemplate(CHAT_TEMPLATE, tokenizer);
  const prepare = (table: string) =>
    preparePreferences([table], template, { contextLength: config.max_position_embeddings, evalFraction: 0 });
  const [pairs, rankings] = [await prepare(tables.pairs), await prepare(tables.rankings)];
  const chosen: RewardData = {
    pairs: evenly(pairs.train, count.pairs).map(({ ids, ranks }) => {
      const [better, worse] = ranks[0] < ranks[1] ? ids : [ids[1], ids[0]];
      return { chosen_ids: [...better], rejected_ids: [...worse] };
    }),
    rankings: evenly(rankings.train.filter(({ ids }) => ids.length === K), count.rankings).map(encodedRanking), // biome-ignore format: short
  };
  writeFileSync(join(folder, 'data.json'), JSON.stringify(chosen));
  await writeRandomModel(join(folder, 'model'), config, tokenizer);
  return { ...chosen, counts: { pairs: totalCounts(pairs.counts), rankings: totalCounts(rankings.counts) } };
}

export function readRewardData(folder: string): RewardData {
  return JSON.parse(readFileSync(join(folder, 'data.json'), 'utf8')) as RewardData;
}

export const rankingOf = ({ chosen_ids, rejected_ids }: EncodedPair): EncodedRanking => ({
  ids: [chosen_ids, rejected_ids],
  ranks: [0, 1],
});

/** Rankings as the training step takes them. */
export function groupsOf(rankings: readonly EncodedRanking[]): RankedGroup[] {
  return rankings.map(({ ids, ranks }, row) => {
    const tokens: RankedTokens = {
      ids: ids.map((one) => Int32Array.from(one)),
      ranks,
      row,
      source: 'bench',
      responseTokens: ids.map(() => 1),
    };
    return rankedGroup(tokens, OBJECTIVE, [], { seed: SEED, epoch: 0 });
  });
}

const encodedRanking = ({ ids, ranks }: RankedTokens): EncodedRanking => ({ ids: ids.map((one) => [...one]), ranks });

function evenly<X>(items: readonly X[], count: number): X[] {
  if (items.length < count) throw new RangeError(`${count} rows are asked for; ${items.length} fit`);
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]);
}

function writeMadeUp(folder: string): void {
  const madeUp = madeUpTexts(SEED);
  for (const [name, answers] of Object.entries({ pairs: 2, rankings: K })) {
    const rows = Array.from({ length: MADE_UP }, () => ({
      prompt: madeUp.question(),
      responses: Array.from({ length: answers }, madeUp.answer),
      ranks: Array.from({ length: answers }, (_, rank) => rank),
    }));
    writeFileSync(join(folder, `${name}.jsonl`), rows.map((row) => JSON.stringify(row)).join('\n'));
  }
}
