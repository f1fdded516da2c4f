import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { ArrowFile } from '../datasets/arrow.js';
import { readGenerations } from '../datasets/generations.js';
import { comparable, type Preference, pairCounts, preferencesBatch, preferencesSchema } from '../datasets/preferences.js';
import { openGold } from '../datasets/world/gold.js';
import { UserError, writeError } from '../util/errors.js';
import { atomicFile, errorCode, exists, sha256File } from '../util/files.js';
import { lockFile } from '../util/lock.js';
import { Annotations } from './annotations.js';
import { type Dialogue, type Guideline, rankByHand } from './human-ranking.js';
import { goldJudge, type Judge, type Judgement, type RankingTask, type Scorer, scoreJudge, simulatedJudge } from './judges.js';
import { rewardScorer } from './reward-model.js';

export interface RankOptions {
  /** Table of generations. */
  data: string;
  /** Table of preferences to write. */
  output: string;
  /** `simulated`, `gold`, `rm:CHECKPOINT`, `human` or `human:NAME`. */
  annotator: string;
  /** Directory of the built-in world, for `simulated` and `gold`. */
  world?: string;
  /** A Markdown file, for a person. */
  guideline?: string;
  /** Of the errors of simulated annotators, and of the order in which a person sees the answers. */
  seed: number;
  overwrite?: boolean;
}

/** What those need who rank otherwise than by the built-in world. */
export interface RankTools {
  /** Where a person is asked. */
  dialogue?: Dialogue;
  /** Loads the reward model of a checkpoint; on the best device there is where not given. */
  openScorer?: (checkpoint: string) => Promise<Scorer>;
}

export interface RankSummary {
  /** Of the table that is written: rankings, their answers, pairs of different and of equal ranks. */
  rows: number;
  answers: number;
  comparisons: number;
  ties: number;
  /** Rankings in which all answers are equal. */
  withoutComparison: number;
  /** Prompts that were read. */
  prompts: number;
  /** Prompts with fewer than two different answers, those that a person skipped, and those that one has not come to. */
  same: number;
  skipped: number;
  waiting: number;
  /** Answers that were the same text as an earlier one of their prompt. */
  merged: number;
  /** Rankings by annotator; of a person also the median of the seconds that one took. */
  annotators: Record<string, { rows: number; seconds?: number }>;
  /** Mean score of all ranked answers, where there are scores. */
  score?: number;
}

/**
 * Ranks answers that a model gave: a table of generations in, a table of preferences out, a row for each ranking. Answers of the same text are one;
 * a prompt with fewer than two different ones is left out.
 * @throws UserError for what is wrong with options and data, and when nothing was ranked.
 */
export async function rankAnswers(options: RankOptions, tools: RankTools = {}): Promise<RankSummary> {
  const [kind, name] = annotatorOf(options);
  if (kind === 'human') return rankWithPerson(options, name ?? 'human', tools.dialogue);
  await checkOutput(options);
  const judge = await openJudge(options, kind, name, tools);
  const tasks: Tasks = { prompts: 0, same: 0, merged: 0 };
  return writeTable(options, tasks, tasksIn(options.data, tasks), judge);
}

const KINDS = ['simulated', 'gold', 'rm', 'human'] as const;
type Kind = (typeof KINDS)[number];

function annotatorOf({ annotator, world, guideline }: RankOptions): [kind: Kind, name: string | undefined] {
  const [, first = '', name] = /^([^:]*)(?::(.+))?$/s.exec(annotator) ?? [];
  const kind = KINDS.find((known) => known === first);
  if (kind === undefined || ((kind === 'rm') !== (name !== undefined) && kind !== 'human')) {
    throw new UserError(
      `rank: the annotator must be simulated, gold, rm:CHECKPOINT, human or human:NAME; received ${annotator}. Choose one with --annotator`,
    );
  }
  const byWorld = kind === 'simulated' || kind === 'gold';
  if (byWorld && world === undefined)
    throw new UserError(`rank: --annotator ${kind} needs the world that the prompts are of; none is named. Say --world DIR`);
  if (!byWorld && world !== undefined)
    throw new UserError(`rank: --world is for --annotator simulated and gold; received it with ${annotator}. Leave it out`);
  if (kind !== 'human' && guideline !== undefined)
    throw new UserError(`rank: --guideline is for --annotator human; received it with ${annotator}. Leave it out`);
  return [kind, name];
}

async function openJudge(
  { world, seed }: RankOptions,
  kind: Kind,
  name: string | undefined,
  { openScorer = rewardScorer }: RankTools,
): Promise<Judge> {
  if (kind === 'gold') return goldJudge(await openGold(world!));
  if (kind === 'simulated') return simulatedJudge(await openGold(world!), seed);
  return scoreJudge(`rm:${name}`, await openScorer(name!));
}

/** What was met on the way to the tasks. */
interface Tasks extends Pick<RankSummary, 'prompts' | 'same' | 'merged'> {}

/** The prompts of a table with their different answers, those that have two. */
async function* tasksIn(data: string, counts: Tasks): AsyncGenerator<RankingTask> {
  for await (const rows of readGenerations(data)) {
    for (const { prompt, source, answers: all } of rows) {
      const row = counts.prompts++;
      const answers = all.filter(({ text }, i) => all.findIndex((other) => other.text === text) === i);
      counts.merged += all.length - answers.length;
      if (answers.length < 2) counts.same++;
      else yield { row, prompt, source, answers };
    }
  }
}

const BATCH_ROWS = 4096;

async function writeTable(
  options: RankOptions,
  tasks: Tasks,
  toRank: AsyncIterable<RankingTask>,
  judge: Judge,
  { metadata = {}, seconds = new Map<string, number[]>() } = {},
): Promise<RankSummary> {
  const { data, output, annotator, seed } = options;
  const provenance = { importer: 'rank', annotator, seed: String(seed), source_sha256: await sha256File(data), ...metadata };
  const schema = preferencesSchema(new Map(Object.entries(provenance)));
  const summary: RankSummary = {
    ...{ rows: 0, answers: 0, comparisons: 0, ties: 0, withoutComparison: 0 },
    ...{ prompts: 0, same: 0, skipped: 0, waiting: 0, merged: 0, annotators: {} },
  };
  const scores = { sum: 0, count: 0 };
  try {
    await atomicFile(output, async (temporary) => {
      const file = new ArrowFile(temporary, schema);
      try {
        let rows: Preference[] = [];
        const flush = async () => {
          await file.write(preferencesBatch(schema, rows));
          rows = [];
        };
        for await (const task of toRank) {
          const judgements = await judge(task);
          rows.push(...judgements.map((judgement) => preferenceOf(task, judgement)));
          for (const judgement of judgements) count(summary, judgement);
          for (const score of judgements[0]?.scores ?? []) {
            scores.sum += score;
            scores.count++;
          }
          if (rows.length >= BATCH_ROWS) await flush();
        }
        if (rows.length > 0) await flush();
        if (summary.rows === 0) throw nothingRanked(options, tasks);
        await file.close();
      } finally {
        await file.abandon();
      }
    });
  } catch (error) {
    throw writeError(output, error);
  }
  for (const [name, times] of seconds) if (summary.annotators[name]) summary.annotators[name].seconds = median(times);
  return { ...summary, ...tasks, ...(scores.count > 0 && { score: scores.sum / scores.count }) };
}

function preferenceOf({ prompt, source, answers }: RankingTask, { annotator, ranks, scores }: Judgement): Preference {
  return { prompt, responses: answers.map(({ text }) => text), ranks, source, annotator, ...(scores && { scores }) };
}

function count(summary: RankSummary, { annotator, ranks }: Judgement): void {
  const { comparisons, ties } = pairCounts(ranks);
  summary.rows++;
  summary.answers += ranks.length;
  summary.comparisons += comparisons;
  summary.ties += ties;
  if (!comparable({ ranks })) summary.withoutComparison++;
  summary.annotators[annotator] ??= { rows: 0 };
  summary.annotators[annotator].rows++;
}

function nothingRanked({ data }: RankOptions, { prompts, same }: Tasks): UserError {
  return new UserError(
    `rank: there must be prompts with two different answers in ${data}; of ${prompts}, ${same} have fewer. Make some with fourfold generate --num 4 and a temperature above 0`,
  );
}

/**
 * Asks a person; the tasks are in memory. The table holds what is ranked so far, whenever the person stops: the same command goes on, and writes it anew.
 */
async function rankWithPerson(options: RankOptions, annotator: string, dialogue: Dialogue | undefined): Promise<RankSummary> {
  const { data, output, seed } = options;
  if (dialogue === undefined) throw new UserError('rank: --annotator human asks a person; nobody is there. Run the command in a terminal');
  const guideline = options.guideline === undefined ? undefined : await readGuideline(options.guideline);
  const path = Annotations.pathOf(output);
  if (options.overwrite)
    await fs.rename(path, `${path}.old`).catch(() => {}); // somebody's work
  else if (!(await exists(path))) await checkOutput(options);
  const lock = `${path}.lock`;
  const unlock = await lockFile(
    lock,
    (owner) =>
      new UserError(
        `rank: one process at a time may write ${output}; process ${owner} does. Wait for it or choose another output (if no such process is running, remove ${lock})`,
      ),
  );
  try {
    const counts: Tasks = { prompts: 0, same: 0, merged: 0 };
    const tasks: RankingTask[] = [];
    for await (const task of tasksIn(data, counts)) tasks.push(task);
    if (tasks.length === 0) throw nothingRanked(options, counts);
    const annotations = await Annotations.open(output, { source_sha256: await sha256File(data), annotator, seed });
    try {
      await rankByHand(tasks, annotations, dialogue, { seed, guideline });
    } finally {
      annotations.close();
    }
    return await writeStanding(options, annotator, counts, tasks, annotations);
  } finally {
    await unlock();
  }
}

/** The table of what a person has ranked so far; where that is nothing, there is none. */
async function writeStanding(
  options: RankOptions,
  annotator: string,
  counts: Tasks,
  tasks: readonly RankingTask[],
  { standing }: Annotations,
): Promise<RankSummary> {
  const ranked = new Map([...standing].flatMap(([row, annotation]) => ('ranks' in annotation ? [[row, annotation] as const] : [])));
  const skipped = standing.size - ranked.size;
  const waiting = tasks.length - standing.size;
  if (ranked.size === 0) {
    if (!options.overwrite) await fs.rm(options.output, { force: true }); // all was undone
    const nothing = { rows: 0, answers: 0, comparisons: 0, ties: 0, withoutComparison: 0, annotators: {} };
    return { ...nothing, ...counts, skipped, waiting };
  }
  const versions = [...new Set([...ranked.values()].map(({ guideline }) => guideline ?? 'none'))];
  const summary = await writeTable(
    options,
    counts,
    (async function* () {
      yield* tasks.filter(({ row }) => ranked.has(row));
    })(),
    async ({ row }) => [{ annotator, ranks: ranked.get(row)!.ranks }],
    {
      metadata: { guideline_sha256: versions.join(',') },
      seconds: new Map([[annotator, [...ranked.values()].map(({ seconds }) => seconds)]]),
    },
  );
  return { ...summary, skipped, waiting };
}

async function readGuideline(path: string): Promise<Guideline> {
  const bytes = await fs.readFile(path).catch((cause) => {
    throw new UserError(
      `rank: the guideline must be a file that can be read; reading ${path} failed (${errorCode(cause)}). Check the path`,
      1,
      {
        cause,
      },
    );
  });
  return { text: bytes.toString('utf8'), sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function checkOutput({ output, overwrite }: RankOptions): Promise<void> {
  if (overwrite === true || !(await exists(output))) return;
  throw new UserError(`rank: the output must be new; ${output} exists already. Choose another, or say --overwrite`);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
