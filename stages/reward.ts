// Legend: K answers to a prompt, C hidden size, T tokens of a row.
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { DeviceDescription } from '../backends/device.js';
import { loadCheckpoint, resolveCheckpoint } from '../checkpoints/load.js';
import { pruneCheckpoints } from '../checkpoints/save.js';
import { resolvedRewardYaml } from '../configs/load.js';
import type { RewardConfig } from '../configs/reward-schema.js';
import { importData } from '../datasets/import.js';
import { permutation } from '../datasets/permutation.js';
import { type PreparedPreferences, preparePreferences, type RankedTokens, totalCounts } from '../datasets/prepare-preferences.js';
import { boundaryArrays, distance, fitBoundary, outsideShare } from '../evaluation/boundary.js';
import { meanPooledStates } from '../evaluation/mean-pooled-states.js';
import { mean, type RewardMetrics, rewardMetrics } from '../evaluation/reward-metrics.js';
import { answerSeparator, ENSEMBLE } from '../evaluation/reward-model.js';
import { scoredTexts, scoreRows } from '../evaluation/score-rows.js';
import { scorer } from '../evaluation/scorer.js';
import { type ModelConfig, parameterCount, SCORE } from '../model/config.js';
import { parametersFrom } from '../model/parameters.js';
import { onDevice } from '../training/device.js';
import { frozenParameters } from '../training/freeze.js';
import { lossScaleMetrics } from '../training/loss-scale.js';
import { Progress } from '../training/progress.js';
import { type BatchShape, batchShape, type Objective, type RankedGroup, rankedBatches, rankedGroup } from '../training/ranked-batches.js';
import { rewardStepper } from '../training/reward-step.js';
import { openRunDirectory, type RunDirectory, type StageResult } from '../training/run-directory.js';
import { saveModel } from '../training/save-model.js';
import { learningRate } from '../training/schedule.js';
import { Speed } from '../training/speed.js';
import { restoreParameters, resumedState, startDevice, type TrainerState } from '../training/start.js';
import { disposeState, type TrainState, trainState } from '../training/state.js';
import { updaterOptions } from '../training/update.js';
import { UserError } from '../util/errors.js';
import { evenly } from '../util/evenly.js';
import { atomicDirectory, exists, makeFolder, writeFileAtomic } from '../util/files.js';
import { normals } from '../util/random.js';
import { type Base, loadBase } from './sft.js';

/** All that resuming needs, beside the tensors: the order of the prompts is a function of the step. */
interface RewardState extends TrainerState {
  stage: 'reward';
  /** Evaluations since the best one. */
  waited: number;
  /** See `Rankings.hash`. */
  data: string;
}

/**
 * Reward modelling: a fine-tuned model learns to tell the better of several answers to a prompt, from rankings (Stiennon et al. 2020, Ouyang et al. 2022).
 * With `ensemble: n`, n models, each in a directory of its own, and `final` holds them all.
 * Writes `run.directory` as docs/architecture.md describes it. An aborted `signal` ends the run after the step under way, saved.
 * @throws UserError for a checkpoint or data that cannot be used, for a directory that holds another run, and for a loss or gradient that is not finite.
 */
export async function reward(config: RewardConfig, run: { directory: string; resume?: string }, signal: AbortSignal): Promise<StageResult> {
  if (config.ensemble === 1) return rewardModel(config, run, signal);
  await checkEnsembleDirectory(run);
  const members: StageResult[] = [];
  for (let i = 0; i < config.ensemble; i++) {
    const directory = path.join(run.directory, `member-${i}`);
    const finished = run.resume === undefined ? undefined : await finishedMember(directory);
    if (finished) {
      members.push(finished);
      continue;
    }
    console.error(`member ${i + 1} of ${config.ensemble}`);
    members.push(await rewardModel({ ...config, ensemble: 1, seed: config.seed + i }, { directory, resume: run.resume }, signal));
    if (signal.aborted) return members.at(-1)!;
  }
  return ensembleOf(config, run.directory, members);
}

/** @throws UserError where one member's checkpoint is to be resumed from, or the directory holds the run of a single model or a finished ensemble. */
async function checkEnsembleDirectory({ directory, resume }: { directory: string; resume?: string }): Promise<void> {
  if (resume !== undefined && resume !== 'auto') {
    throw new UserError(
      `reward model: an ensemble goes on where each of its members stopped; received the checkpoint ${resume}. Use --resume auto`,
    );
  }
  for (const name of ['checkpoints', ...(resume === undefined ? ['final'] : [])]) {
    if (!(await exists(path.join(directory, name)))) continue;
    throw new UserError(
      `reward model: an ensemble needs a directory without another run; ${directory} holds ${name}. Choose another output_dir`,
    );
  }
}

/** What a member's run reported, if it came to its end. */
async function finishedMember(directory: string): Promise<StageResult | undefined> {
  const summary = path.join(directory, 'summary.json');
  if (!(await exists(summary))) return undefined;
  const result = JSON.parse(await fs.readFile(summary, 'utf8')) as StageResult;
  return path.basename(result.checkpoint) === 'final' ? result : undefined;
}

async function rewardModel(config: RewardConfig, run: { directory: string; resume?: string }, signal: AbortSignal): Promise<StageResult> {
  const directory = await openRunDirectory(run.directory, { resume: run.resume });
  const say = (text: string) => console.error(text);
  try {
    // 1. The device, the same as before when the run goes on.
    const device = await startDevice(config, directory, say);
    await directory.writeConfig(resolvedRewardYaml(config));

    // 2. What the run begins with: a fine-tuned model, its tokenizer, its chat template.
    const base = await loadBase(config);

    // 3. Rankings to tokens: each answer behind its prompt, ended by the mark that ends an answer.
    const data = await rankings(config, base, say, directory.path);
    const others = await otherRankings(config, base, directory.path);

    // 4. The model: the base's body with a new head, or as it was when the run stopped.
    const { state, trainer } = await startingState(config, base, data, directory);
    const { groupsOf, shape, separator } = data;
    const totalSteps = rewardSteps(config, data.train.length);
    const evalSteps = config.eval_steps ?? Math.max(1, Math.ceil(totalSteps / 10));
    const schedule = { ...config, warmup_steps: Math.floor(config.warmup_ratio * totalSteps) };
    const step = rewardStepper(state, shape, rewardStepOptions(config, state.config));
    const scoring = scorer(state.config, state.parameters, data.longest);
    const score = (texts: readonly Int32Array[]) => scoring.score(texts);
    say(describeRun(state.config, data, totalSteps, device));

    const progress = new Progress(totalSteps);
    progress.start(state.step);
    const metrics: Record<string, number> = {};
    const speed = new Speed(trainer.tokens);
    let saved = directory.resumeFrom?.step ?? -1;
    const save = (target: string, more: { resumable?: true; boundary?: Parameters<typeof saveModel>[1]['boundary'] }) =>
      saveModel(target, {
        ...{ state, trainer, tokenizer: base.tokenizer, template: base.template.source, name: path.basename(config.output_dir) },
        data: config.data.path.map((file) => path.basename(file)).join(', '),
        ...more,
      });
    const saveStep = async () => {
      if (saved === state.step) return;
      await save(directory.checkpoint(state.step), { resumable: true });
      saved = state.step;
      await pruneCheckpoints(directory.checkpoints, config.save_total_limit, trainer.metrics['best/step']);
    };
    const evaluate = async (): Promise<Record<string, number>> => {
      if (data.heldOut.length === 0) return {};
      const held = evaluationMetrics(rewardMetrics(await scoreRows(data.heldOut, score, separator)));
      Object.assign(trainer.metrics, held);
      progress.note(`step ${state.step}: eval loss ${held['eval/loss'].toFixed(4)}, accuracy ${percent(held['eval/accuracy'])}`);
      return held;
    };

    // 5. What the model makes of the held-out rankings before it has learnt anything: chance, or nearly.
    if (state.step === 0 && directory.resumeFrom === undefined && data.heldOut.length > 0) {
      const held = await speed.pause(evaluate);
      directory.metrics.write({ step: 0, ...held });
      trainer.metrics['start/eval/accuracy'] = held['eval/accuracy'];
    }

    // 6. Train.
    const patience = config.early_stopping_patience;
    const goesOn = () => state.step < totalSteps && !(patience > 0 && trainer.waited >= patience);
    while (goesOn() && !signal.aborted) {
      // 6.1 One update from the next prompts: the mean over them of the loss of each, whatever the number of its answers.
      const groups = groupsOf(state.step);
      const { loss, gradNorm, tokens, accuracy, margin } = await step.step(
        rankedBatches(groups, shape, Math.max(0, base.tokenizer.special.pad)),
        learningRate(schedule, state.step, totalSteps),
      );
      trainer.step = state.step;
      trainer.tokens += tokens;
      const last = state.step === totalSteps;
      const record: Record<string, number> = {};

      // 6.2 Measure.
      if (state.step % config.logging_steps === 0 || last) {
        const measured = speed.measure(trainer.tokens);
        const lr = learningRate(schedule, state.step - 1, totalSteps);
        const epoch = state.step / Math.ceil(data.train.length / config.batch_size);
        Object.assign(record, {
          loss,
          lr,
          grad_norm: gradNorm,
          accuracy,
          margin,
          tokens: trainer.tokens,
          epoch,
          ...measured,
          ...(await lossScaleMetrics(state)),
        });
        progress.update({ step: state.step, loss, tokensPerSecond: measured.tokens_per_second });
      }

      await speed.pause(async () => {
        // 6.3 Evaluate on the held-out prompts; stop when it does not get better.
        let isBest = false;
        if (data.heldOut.length > 0 && (state.step % evalSteps === 0 || last)) {
          const held = await evaluate();
          Object.assign(record, held);
          isBest = !(trainer.metrics['best/eval/accuracy'] >= held['eval/accuracy']);
          if (isBest) Object.assign(trainer.metrics, { 'best/eval/accuracy': held['eval/accuracy'], 'best/step': state.step });
          trainer.waited = isBest ? 0 : trainer.waited + 1;
        }
        if (Object.keys(record).length > 0) directory.metrics.write({ step: state.step, ...record });
        Object.assign(metrics, record);

        // 6.4 Save.
        if (state.step % config.save_steps === 0 || isBest || !goesOn()) await saveStep();
      });
      // Signals are handled between macrotasks only.
      await new Promise((resolve) => setImmediate(resolve));
    }
    progress.end();

    // 7. Leave: a run that was stopped is saved as it is; of a finished one the model is `final`, with early stopping the best one.
    await saveStep();
    const finished = !goesOn();
    if (finished && patience > 0 && trainer.metrics['best/step'] !== state.step) {
      say(
        `the best held-out accuracy, ${percent(trainer.metrics['best/eval/accuracy'])}, was at step ${trainer.metrics['best/step']}: its model is the final one`,
      );
      await restoreParameters(state.parameters, directory.checkpoint(trainer.metrics['best/step']));
    }
    if (finished) {
      // 8. Normalise: mean and standard deviation of the score on reference answers are stored with the model, the scores stay raw.
      if (config.head === 'scalar') await normalise(config, state, data, score);

      // 9. The boundary: where the training texts lie, and what the model is worth on other data.
      const boundary = await boundaryOf(state, data);
      await save(directory.final, { boundary: boundaryArrays(boundary) });
      for (const { name, rows: other } of others) {
        const reading = scorer(state.config, state.parameters, longestOf(other, separator));
        const found = rewardMetrics(await scoreRows(other, (texts) => reading.score(texts), separator));
        reading.dispose();
        const distances = (await statesOf(state, other)).map((texts) => distance(boundary, texts));
        Object.assign(trainer.metrics, {
          [`boundary/${name}/accuracy`]: found.accuracy,
          [`boundary/${name}/ece`]: found.calibration.ece,
          [`boundary/${name}/distance`]: mean(distances),
          [`boundary/${name}/outside`]: outsideShare(boundary, distances),
        });
        say(
          `${name}: accuracy ${percent(found.accuracy)} (${found.interval.map(percent).join(' – ')}), ${percent(outsideShare(boundary, distances))} of its answers outside the boundary`,
        );
      }
    }
    const result: StageResult = {
      stage: 'reward',
      checkpoint: finished ? directory.final : directory.checkpoint(state.step),
      steps: state.step,
      tokens: trainer.tokens,
      ...speed.total(trainer.tokens),
      peak_memory_bytes: process.resourceUsage().maxRSS * 1024,
      device,
      metrics: { ...metrics, ...trainer.metrics },
    };
    await directory.writeSummary(result);
    step.dispose();
    scoring.dispose();
    disposeState(state);
    return result;
  } finally {
    await directory.close();
  }
}

/** Rankings in tokens, and in what portions they are learnt. */
interface Rankings extends Pick<PreparedPreferences, 'train' | 'heldOut' | 'counts'> {
  /** The prompts of the update after `step` updates. */
  groupsOf(step: number): RankedGroup[];
  shape: BatchShape;
  /** Of a pair head: what it reads between two answers. */
  separator?: number[];
  /** Tokens of the longest text. */
  longest: number;
  /** SHA-256 of the training texts in their order and of their ranks: the place in the data is a step only as long as it stays the same. */
  hash: string;
}

export async function rankings(config: RewardConfig, base: Base, say: (text: string) => void, directory: string): Promise<Rankings> {
  const { data, seed, batch_size: batchSize } = config;
  const { contextLength, template } = base;
  const tables = await Promise.all(data.path.map((file, i) => tableOf(file, path.join(directory, `preferences-${i}.arrow`), say)));
  const prepared = await preparePreferences(tables, template, { contextLength, evalFraction: data.eval_fraction, limit: data.limit });
  const objective = objectiveOf(config);
  const separator = config.head === 'pair' ? answerSeparator(template) : undefined;
  const fits = (row: RankedTokens) => longestOf([row], separator) <= contextLength;
  const groupOf = (row: RankedTokens, epoch: number) => rankedGroup(row, objective, separator ?? [], { seed, epoch });
  const [train, heldOut] = [prepared.train.filter(fits), prepared.heldOut.filter(fits)];
  reportCounts(config, prepared, prepared.train.length + prepared.heldOut.length - train.length - heldOut.length, contextLength, say);
  checkRankings(config, train);
  const steps = Math.ceil(train.length / batchSize);
  const groupsOf = (step: number) => {
    const epoch = Math.floor(step / steps);
    const first = (step % steps) * batchSize;
    const place = permutation(train.length, seed, [0x5257, epoch, 0]);
    return Array.from({ length: Math.min(batchSize, train.length - first) }, (_, i) => groupOf(train[place(first + i)], epoch));
  };
  return {
    ...{ train, heldOut, counts: prepared.counts, groupsOf, separator },
    shape: batchShape(
      train.map((row) => groupOf(row, 0)),
      config.micro_batch_tokens,
    ),
    longest: longestOf([...train, ...heldOut], separator),
    hash: hashOf(train),
  };
}

function hashOf(rows: readonly RankedTokens[]): string {
  const hash = createHash('sha256');
  for (const { ids, ranks, margins = [] } of rows) {
    hash.update(JSON.stringify({ ranks, margins, lengths: ids.map(({ length }) => length) }));
    for (const text of ids) hash.update(text);
  }
  return hash.digest('hex');
}

/** A table of preferences: the one that is named, or one made of the file that is named. */
async function tableOf(file: string, output: string, say: (text: string) => void): Promise<string> {
  if (path.extname(file).toLowerCase() === '.arrow') return file;
  await makeFolder(path.dirname(output));
  const imported = await importData({ paths: [file], output, overwrite: true });
  if (imported.table !== 'preferences') {
    throw new UserError(
      `reward model: data.path must lead to preferences; ${file} is read as a table of ${imported.table}. Import it yourself, naming its format or columns (fourfold data import --help)`,
    );
  }
  if (imported.quarantined > 0) say(`${imported.quarantined} bad rows set aside in ${imported.quarantine}`);
  return output;
}

/** All rows of the tables that the finished model is judged on. @throws UserError when one has none that fits, or the name of another. */
async function otherRankings(
  { head, data }: RewardConfig,
  { template, contextLength }: Base,
  directory: string,
): Promise<{ name: string; rows: RankedTokens[] }[]> {
  const separator = head === 'pair' ? answerSeparator(template) : undefined;
  const others: { name: string; rows: RankedTokens[] }[] = [];
  for (const file of data.boundary ?? []) {
    const { name } = path.parse(file);
    if (others.some((other) => other.name === name))
      throw new UserError(
        `reward model: the files of data.boundary must have different names, which their figures go by; received ${name} twice. Rename one`,
      );
    const table = await tableOf(file, path.join(directory, `boundary-${name}.arrow`), () => {});
    const { train } = await preparePreferences([table], template, { contextLength, evalFraction: 0 });
    const rows = train.filter((row) => longestOf([row], separator) <= contextLength);
    if (rows.length === 0)
      throw new UserError(
        `reward model: data.boundary must have rankings that fit; none of ${file} does. Raise context_length, or leave it out`,
      );
    others.push({ name, rows });
  }
  return others;
}

/** Tokens of the longest text that is read to score some rows. */
function longestOf(rows: readonly RankedTokens[], separator: readonly number[] | undefined): number {
  return rows.reduce((most, row) => Math.max(most, ...scoredTexts(row, separator).map(({ length }) => length)), 0);
}

function objectiveOf({ head, loss, ties, label_smoothing_factor }: RewardConfig): Objective {
  return { head, loss, ties, labelSmoothing: label_smoothing_factor };
}

function reportCounts(
  config: RewardConfig,
  { counts }: PreparedPreferences,
  tooLongPairs: number,
  contextLength: number,
  say: (text: string) => void,
): void {
  const { rows, withoutComparison, dropped, promptsCut } = totalCounts(counts);
  const share = (n: number) => `${n.toLocaleString('en-US')} of ${rows.toLocaleString('en-US')} rows (${percent(n / rows)})`;
  if (withoutComparison > 0) say(`${share(withoutComparison)} hold no comparison: all answers have the same rank`);
  if (dropped > 0) say(`${share(dropped)} left out: an answer does not fit into ${contextLength} tokens`);
  if (tooLongPairs > 0) say(`${share(tooLongPairs)} left out: two answers do not fit into ${contextLength} tokens (head: ${config.head})`);
  if (promptsCut > 0) say(`${share(promptsCut)} have a prompt that lost its left part`);
}

/** @throws UserError where nothing is left to learn from, or a ranking has ties and the loss takes none. */
function checkRankings({ loss, data }: RewardConfig, train: readonly RankedTokens[]): void {
  if (train.length === 0) {
    throw new UserError(`reward model: there must be rankings that fit; none of ${data.path.join(', ')} does. Raise context_length`);
  }
  if (loss !== 'plackett_luce') return;
  const tied = train.filter(({ ranks }) => new Set(ranks).size < ranks.length);
  if (tied.length === 0) return;
  const named = tied.slice(0, 5).map(({ row }) => row).join(', '); // biome-ignore format: short
  throw new UserError(
    `reward model: with loss: plackett_luce each ranking must be without ties; ${tied.length} have some (rows ${named}${tied.length > 5 ? ' …' : ''}). Set loss: bradley_terry, or leave these rows out`,
  );
}

/** Updates of the whole run. */
export function rewardSteps({ max_steps, epochs, batch_size }: RewardConfig, prompts: number): number {
  return max_steps ?? Math.ceil(epochs! * Math.ceil(prompts / batch_size));
}

export function rewardStepOptions(config: RewardConfig, model: ModelConfig) {
  return {
    ...updaterOptions(config),
    objective: objectiveOf(config),
    centerRewards: config.center_rewards_coefficient,
    seed: config.seed,
    frozen: frozenParameters(model, config.freeze),
  };
}

/** The model and its trainer's state: where the run stopped, or the base's body with a head of random numbers, of standard deviation 1/√(C + 1). */
async function startingState(
  config: RewardConfig,
  base: Base,
  data: Rankings,
  directory: RunDirectory,
): Promise<{ state: TrainState; trainer: RewardState }> {
  const tokenizer = base.tokenizer.hash();
  const resumed = await resumedState<RewardState>(directory, tokenizer);
  if (resumed) {
    checkResumed(config, data, resumed);
    return resumed;
  }
  return {
    state: await newRewardModel(config, base),
    trainer: { stage: 'reward', step: 0, tokens: 0, tokenizer, metrics: {}, waited: 0, data: data.hash },
  };
}

/** @throws UserError where a run would go on with other rankings or as another kind of model. */
function checkResumed(
  { head, attention }: RewardConfig,
  { hash }: Rankings,
  { state, trainer }: { state: TrainState; trainer: RewardState },
): void {
  const { head: before, attention: saw = 'causal' } = state.config;
  const other = [before !== head && `head (${before})`, saw !== attention && `attention (${saw})`, trainer.data !== hash && 'rankings'];
  const differ = other.filter(Boolean).join(', ');
  if (differ === '') return;
  throw new UserError(
    `resuming a reward model: it must go on as it began; it began with other ${differ}. Give it back what it had, or choose another output_dir`,
  );
}

/** Source of the head's first values: Stiennon et al. 2020; Huang et al. 2024, "The N implementation details of RLHF with PPO". */
export async function newRewardModel({ head, attention, seed }: RewardConfig, base: Base): Promise<TrainState> {
  const { weights } = await loadCheckpoint(base.checkpoint);
  const C = base.config.hidden_size;
  weights.set(SCORE, normals(seed, HEAD_STREAM, C).map((value) => value / Math.sqrt(C + 1))); // biome-ignore format: short
  const config: ModelConfig = { ...base.config, head, ...(attention === 'bidirectional' && { attention }) };
  return trainState(config, parametersFrom(config, weights));
}

const HEAD_STREAM = 0x48454144; // separates these draws from others under the same seed

/** Stores mean and standard deviation of the score over answers of held-out prompts, or of training prompts where none is held out. */
async function normalise(
  { normalize_samples: samples }: RewardConfig,
  state: TrainState,
  data: Rankings,
  score: (texts: readonly Int32Array[]) => Promise<Float32Array>,
): Promise<void> {
  const rows = data.heldOut.length > 0 ? data.heldOut : data.train;
  const scores = Array.from(await score(evenly(rows.flatMap(({ ids }) => ids), samples))); // biome-ignore format: short
  const centre = mean(scores);
  state.config.score_mean = centre;
  state.config.score_std = Math.sqrt(mean(scores.map((value) => (value - centre) ** 2)));
}

const BOUNDARY_TEXTS = 4096;

async function boundaryOf(state: TrainState, { train, heldOut }: Rankings) {
  return fitBoundary(await statesOf(state, train), await statesOf(state, heldOut));
}

/** Mean-pooled states of the rows' texts, of some at even distances where there are many. */
function statesOf(state: TrainState, rows: readonly RankedTokens[]): Promise<Float32Array[]> {
  const texts = evenly(rows.flatMap(({ ids }) => ids), BOUNDARY_TEXTS); // biome-ignore format: short
  if (texts.length === 0) return Promise.resolve([]);
  return meanPooledStates(state, texts);
}

function evaluationMetrics(found: RewardMetrics): Record<string, number> {
  const sources = Object.entries(found.sources);
  return {
    'eval/loss': found.loss,
    'eval/accuracy': found.accuracy,
    'eval/accuracy_low': found.interval[0],
    'eval/accuracy_high': found.interval[1],
    'eval/margin': found.margin,
    'eval/ece': found.calibration.ece,
    ...(sources.length > 1 && Object.fromEntries(sources.map(([source, { accuracy }]) => [`eval/accuracy/${source}`, accuracy]))),
  };
}

/** `final` of an ensemble: its members and their index. */
async function ensembleOf(config: RewardConfig, directory: string, members: readonly StageResult[]): Promise<StageResult> {
  const final = path.join(directory, 'final');
  const names = members.map((_, i) => `member-${i}`);
  await atomicDirectory(final, async (temporary) => {
    for (const [i, { checkpoint }] of members.entries())
      await fs.cp(await resolveCheckpoint(checkpoint), path.join(temporary, names[i]), { recursive: true });
    await fs.writeFile(path.join(temporary, ENSEMBLE), `${JSON.stringify({ members: names }, null, 2)}\n`);
  });
  const sum = (of: (result: StageResult) => number) => members.reduce((total, member) => total + of(member), 0);
  const metrics = Object.keys(members[0].metrics).map((name) => [name, sum((member) => member.metrics[name]) / members.length]);
  const [tokens, seconds] = [sum((member) => member.tokens), sum((member) => member.seconds)];
  const result: StageResult = {
    ...members[0],
    ...{ checkpoint: final, tokens, seconds, tokens_per_second: tokens / seconds, steps: sum(({ steps }) => steps) },
    peak_memory_bytes: Math.max(...members.map((member) => member.peak_memory_bytes)),
    metrics: Object.fromEntries(metrics), // means over the members
  };
  await writeFileAtomic(path.join(directory, 'config.yaml'), resolvedRewardYaml(config));
  await writeFileAtomic(path.join(directory, 'summary.json'), `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function describeRun(config: ModelConfig, { train, heldOut, shape }: Rankings, steps: number, device: DeviceDescription): string {
  const count = (n: number) => n.toLocaleString('en-US');
  const answers = train.reduce((sum, { ids }) => sum + ids.length, 0);
  return [
    `${config.architecture}: ${count(parameterCount(config))} parameters, ${config.head} head${config.attention ? `, ${config.attention}` : ''}`,
    `${count(train.length)} prompts to train on with ${count(answers)} answers; ${count(heldOut.length)} held out; ${count(steps)} steps, batches of ${shape.B} × ${shape.T} tokens`,
    onDevice(device),
  ].join('\n');
}
