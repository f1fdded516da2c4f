// Legend: B batch, T tokens.
import path from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { type DeviceDescription, peakFlops } from '../backends/device.js';
import { checkpointTokenizer, loadCheckpoint, readCheckpointFiles, resolveCheckpoint } from '../checkpoints/load.js';
import { pruneCheckpoints } from '../checkpoints/save.js';
import { resolvedSftYaml } from '../configs/load.js';
import type { SftConfig } from '../configs/sft-schema.js';
import { type HostBatch, type Loader, type LoaderState, openLoader } from '../datasets/loader.js';
import { openPass, type Pass } from '../datasets/pass.js';
import { REPLAY } from '../datasets/prepare-conversations.js';
import { type TrainingConversations, trainingConversations } from '../datasets/training-conversations.js';
import { evaluator, type LanguageModelMetrics } from '../evaluation/language-model.js';
import { flopsPerToken, type ModelConfig, parameterCount } from '../model/config.js';
import { parametersFrom } from '../model/parameters.js';
import { generate } from '../sampler/generate.js';
import { SAMPLING } from '../sampler/sample.js';
import { type ChatTemplate, type Message, readChatTemplate, type Tokenizer } from '../tokenizer/index.js';
import { onDevice } from '../training/device.js';
import { frozenParameters } from '../training/freeze.js';
import { lossScaleMetrics } from '../training/loss-scale.js';
import { Progress } from '../training/progress.js';
import { openRunDirectory, type RunDirectory, type StageResult } from '../training/run-directory.js';
import { saveModel } from '../training/save-model.js';
import { learningRate } from '../training/schedule.js';
import { Speed } from '../training/speed.js';
import { restoreParameters, resumedState, startDevice, type TrainerState } from '../training/start.js';
import { disposeState, type TrainState, trainState } from '../training/state.js';
import { type StepOptions, stepOptions, stepper } from '../training/step.js';
import { UserError } from '../util/errors.js';
import { sourceTable } from './source-table.js';

/** All that resuming needs, beside the tensors. */
interface SftState extends TrainerState {
  stage: 'sft';
  loader: LoaderState;
  /** Evaluations since the best one. */
  waited: number;
}

/**
 * Supervised fine-tuning: a base model learns to answer from conversations. The loss is next-token prediction on the tokens of the answers alone,
 * −Σ w·log p(token) / Σ w over the supervised tokens of the whole accumulated batch (Ouyang et al. 2022, section 3.5; Taori et al. 2023).
 * Writes `run.directory` as docs/architecture.md describes it. An aborted `signal` ends the run after the step under way, saved.
 * @throws UserError for a checkpoint or data that cannot be used, for a directory that holds another run, and for a loss or gradient that is not finite.
 */
export async function sft(config: SftConfig, run: { directory: string; resume?: string }, signal: AbortSignal): Promise<StageResult> {
  const directory = await openRunDirectory(run.directory, { resume: run.resume });
  const say = (text: string) => console.error(text);
  try {
    // 1. The device, the same as before when the run goes on.
    const device = await startDevice(config, directory, say);
    await directory.writeConfig(resolvedSftYaml(config));

    // 2. What the run begins with: a base model, its tokenizer, a chat template.
    const base = await loadBase(config);
    const { tokenizer, template } = base;

    // 3. Conversations to tokens: each rendered with the template, its answers marked as what is to be predicted.
    const data = await trainingConversations(config, path.join(directory.path, 'tokens'), {
      ...base,
      reuse: directory.resumeFrom !== undefined,
      say,
      signal,
    });
    const { batch_size: B } = config;
    const { contextLength: T } = base;
    const loader = await openSftLoader(config, data, T);
    const heldOut = await openHeldOut(config, data, T);

    // 4. The model: the base's, or as it was when the run stopped.
    const { state, trainer } = await startingState(base, directory, loader);
    const totalSteps = sftSteps(config, loader);
    const evalSteps = config.eval_steps ?? Math.max(1, Math.ceil(totalSteps / 10));
    const schedule = { ...config, warmup_steps: Math.floor(config.warmup_ratio * totalSteps) };
    const step = stepper(state, B, T, sftStepOptions(config, state.config));
    const evaluation = evaluator(state.config, state.parameters, B, T);
    const flops = flopsPerToken(state.config, T);
    const peak = peakFlops(config.precision);
    const questions = config.sample_prompts?.map((content): Message[] => [{ role: 'user', content }]) ?? data.questions;
    say(describeRun(state.config, data, loader, totalSteps, device));
    if (loader.sources.length > 1) say(sourceTable(config, loader, totalSteps));

    const progress = new Progress(totalSteps);
    progress.start(state.step);
    const metrics: Record<string, number> = {};
    const speed = new Speed(trainer.tokens);
    let saved = directory.resumeFrom?.step ?? -1;
    const save = (target: string, loaderState?: LoaderState) =>
      saveModel(target, {
        state,
        trainer,
        tokenizer,
        template: template.source,
        name: path.basename(config.output_dir),
        data: config.data.path.map((file) => path.basename(file)).join(', '),
        loader: loaderState,
      });
    const saveStep = async () => {
      if (saved === state.step) return;
      await save(directory.checkpoint(state.step), loader.state());
      saved = state.step;
      await pruneCheckpoints(directory.checkpoints, config.save_total_limit, trainer.metrics['best/step']);
    };
    const evaluate = async (): Promise<Record<string, number>> => {
      if (heldOut === undefined) return {};
      const held: Record<string, number> = { ...(await evaluation.evaluate(heldOut.conversations)) };
      if (heldOut.replay) Object.assign(held, replayMetrics(await evaluation.evaluate(heldOut.replay)));
      Object.assign(trainer.metrics, held);
      progress.note(`step ${state.step}: ${describeEvaluation(held, heldOut)}`);
      return held;
    };
    const sample = async () => {
      for (const answer of await answers(config, state, tokenizer, template, questions))
        directory.samples.write({ step: state.step, ...answer });
    };

    // 5. What the base model makes of the held-out conversations, to compare with.
    if (state.step === 0 && directory.resumeFrom === undefined) {
      const held = await speed.pause(evaluate);
      if (heldOut) directory.metrics.write({ step: 0, ...held });
      if (heldOut) trainer.metrics['start/eval/loss'] = held['eval/loss'];
      if (config.sample_steps !== 0) await speed.pause(sample);
    }

    // 6. Train.
    const patience = config.early_stopping_patience;
    const goesOn = () => state.step < totalSteps && !(patience > 0 && trainer.waited >= patience);
    while (goesOn() && !signal.aborted) {
      // 6.1 One update from the accumulated gradients of the micro-batches, divided by the supervised tokens of all of them.
      const rate = learningRate(schedule, state.step, totalSteps);
      const batches: HostBatch[] = [];
      for (let i = 0; i < config.gradient_accumulation_steps; i++) batches.push(await loader.next());
      const { loss, gradNorm, tokens: supervised } = await step.step(batches, rate);
      trainer.step = state.step;
      trainer.tokens += supervised;
      const last = state.step === totalSteps;
      const record: Record<string, number> = {};

      // 6.2 Measure.
      if (state.step % config.logging_steps === 0 || last) {
        const measured = speed.measure(trainer.tokens);
        const { tokens_per_second: tokensPerSecond } = measured;
        const epoch = epochsOf(config, loader, state.step);
        Object.assign(record, {
          loss,
          lr: rate,
          grad_norm: gradNorm,
          tokens: trainer.tokens,
          epoch,
          ...measured,
          ...(await lossScaleMetrics(state)),
        });
        progress.update({ step: state.step, loss, tokensPerSecond, peakFraction: peak && (tokensPerSecond * flops) / peak });
      }

      await speed.pause(async () => {
        // 6.3 Evaluate on the held-out conversations; answer the questions; stop when it does not get better.
        let isBest = false;
        if (heldOut && (state.step % evalSteps === 0 || last)) {
          const held = await evaluate();
          Object.assign(record, held);
          isBest = !(trainer.metrics['best/eval/loss'] <= held['eval/loss']);
          if (isBest) Object.assign(trainer.metrics, { 'best/eval/loss': held['eval/loss'], 'best/step': state.step });
          trainer.waited = isBest ? 0 : trainer.waited + 1;
        }
        const sampleSteps = config.sample_steps ?? evalSteps;
        if (sampleSteps > 0 && (state.step % sampleSteps === 0 || last)) await sample();
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
        `the best held-out loss, ${trainer.metrics['best/eval/loss'].toFixed(4)}, was at step ${trainer.metrics['best/step']}: its model is the final one`,
      );
      await restoreParameters(state.parameters, directory.checkpoint(trainer.metrics['best/step']));
    }
    if (finished) await save(directory.final);
    const result: StageResult = {
      stage: 'sft',
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
    evaluation.dispose();
    disposeState(state);
    await loader.close();
    await heldOut?.close();
    return result;
  } finally {
    await directory.close();
  }
}

/** What a run begins with, but for the weights: a run that goes on has its own. */
export interface Base {
  /** Directory of the checkpoint. */
  checkpoint: string;
  config: ModelConfig;
  tokenizer: Tokenizer;
  template: ChatTemplate;
  /** Tokens of a row. */
  contextLength: number;
}

/** @throws UserError for a checkpoint without a tokenizer or chat template, or with a shorter context than is wanted. */
export async function loadBase(config: Pick<SftConfig, 'init_from' | 'context_length' | 'dropout' | 'template'>): Promise<Base> {
  const checkpoint = await readCheckpointFiles(await resolveCheckpoint(config.init_from));
  const { directory } = checkpoint;
  if (checkpoint.config.head !== undefined) {
    throw new UserError(`init_from: ${directory} must be a language model; it is a reward model. Name the model that it was trained from`);
  }
  const tokenizer = checkpointTokenizer(checkpoint);
  const longest = checkpoint.config.max_position_embeddings;
  const contextLength = config.context_length ?? longest;
  if (contextLength > longest) {
    throw new UserError(
      `init_from: context_length must be no more than max_position_embeddings of ${directory}, ${longest}; received ${contextLength}. Lower it`,
    );
  }
  return {
    checkpoint: directory,
    config: { ...checkpoint.config, ...(config.dropout === undefined ? {} : { dropout: config.dropout }) },
    tokenizer,
    template: await readChatTemplate(directory, tokenizer, config.template),
    contextLength,
  };
}

/** The base's parameters, on the device in use. */
export async function baseParameters({ config, checkpoint }: Base): Promise<Map<string, tf.Variable>> {
  return parametersFrom(config, (await loadCheckpoint(checkpoint)).weights);
}

/** Rows of whole conversations: each a segment, several in a row, that attends to itself only. */
export function openSftLoader(config: SftConfig, { tokens, mixture }: TrainingConversations, contextLength: number): Promise<Loader> {
  const { batch_size: batchSize, seed } = config;
  return openLoader({ directory: tokens, contextLength, batchSize, packing: 'segments', sampling: 'epoch', mixture, seed });
}

/** Held-out conversations, and the held-out part of the text that is replayed; undefined where nothing is held out. */
interface HeldOut {
  conversations: Pass;
  replay?: Pass;
  close(): Promise<void>;
}

async function openHeldOut(
  config: SftConfig,
  { tokens, dataset, replay }: TrainingConversations,
  contextLength: number,
): Promise<HeldOut | undefined> {
  if (dataset.eval.tokens === 0) return undefined;
  const open = (directory: string) =>
    openPass({ directory, split: 'eval', contextLength, batchSize: config.batch_size, packing: 'segments' });
  const conversations = await open(tokens);
  const text = replay === undefined ? undefined : await open(replay);
  return {
    conversations,
    replay: text,
    async close() {
      await conversations.close();
      await text?.close();
    },
  };
}

/** Steps of the whole run. An epoch gives each conversation once, and the replayed text that goes with it. */
export function sftSteps(config: SftConfig, loader: Loader): number {
  if (config.max_steps !== undefined) return config.max_steps;
  return Math.ceil((config.epochs! * rowsOfEpoch(config, loader)) / (config.batch_size * config.gradient_accumulation_steps));
}

function rowsOfEpoch({ data }: SftConfig, { sources }: Loader): number {
  const rows = sources.filter(({ name, share }) => share > 0 && !name.startsWith(REPLAY)).reduce((sum, source) => sum + source.rows, 0);
  return rows / (1 - (data.replay?.fraction ?? 0));
}

function epochsOf(config: SftConfig, loader: Loader, steps: number): number {
  return (steps * config.batch_size * config.gradient_accumulation_steps) / rowsOfEpoch(config, loader);
}

/** What the configuration says to the optimizer and to the loss. */
export function sftStepOptions(config: SftConfig, model: ModelConfig): StepOptions {
  return {
    ...stepOptions(config),
    labelSmoothing: config.label_smoothing_factor,
    neftuneNoiseAlpha: config.neftune_noise_alpha,
    fewTargets: true,
    frozen: frozenParameters(model, config.freeze),
  };
}

/** The model and its trainer's state: where the run stopped, or the base's. Moves the loader to its place. */
async function startingState(base: Base, directory: RunDirectory, loader: Loader): Promise<{ state: TrainState; trainer: SftState }> {
  const tokenizer = base.tokenizer.hash();
  const resumed = await resumedState<SftState>(directory, tokenizer);
  if (resumed) {
    await loader.restore(resumed.trainer.loader);
    return resumed;
  }
  return {
    state: trainState(base.config, await baseParameters(base)),
    trainer: { stage: 'sft', step: 0, tokens: 0, loader: loader.state(), tokenizer, metrics: {}, waited: 0 },
  };
}

/** An answer to each question, drawn with a fixed seed, so that those of different steps can be compared. Questions that leave no room are passed over. */
async function answers(
  config: SftConfig,
  { config: model, parameters }: TrainState,
  tokenizer: Tokenizer,
  template: ChatTemplate,
  questions: readonly Message[][],
): Promise<{ prompt: string; text: string }[]> {
  const context = model.max_position_embeddings;
  const asked = questions
    .map((messages) => ({ messages, ids: template.encode(messages, { addGenerationPrompt: true }).ids }))
    .filter(({ ids }) => ids.length < context);
  if (asked.length === 0) return [];
  const room = context - Math.max(...asked.map(({ ids }) => ids.length));
  const { tokens } = await generate(
    { config: model, parameters },
    asked.map(({ ids }) => ids),
    { sampling: SAMPLING, maxTokens: Math.min(config.sample_max_tokens, room), eos: template.stopIds, seed: config.seed },
  );
  return asked.map(({ messages }, i) => ({ prompt: messages.at(-1)!.content, text: tokenizer.decode(tokens[i], { skipSpecial: true }) }));
}

/** The replayed text's loss and bits per byte, under names of their own. */
function replayMetrics(held: LanguageModelMetrics): Record<string, number> {
  return { 'eval/replay/loss': held['eval/loss'], 'eval/replay/bits_per_byte': held['eval/bits_per_byte'] };
}

function describeEvaluation(held: Readonly<Record<string, number>>, { conversations: { sources } }: HeldOut): string {
  const each = sources.map((source) => `${source} ${held[`eval/loss/${source}`]?.toFixed(4)}`);
  const bySource = sources.length > 1 ? ` (${each.join(', ')})` : '';
  const replay = held['eval/replay/bits_per_byte'];
  const text = replay === undefined ? '' : `; replayed text ${replay.toFixed(4)} bits per byte`;
  return `eval loss ${held['eval/loss'].toFixed(4)}${bySource}${text}`;
}

function describeRun(
  config: ModelConfig,
  { dataset }: TrainingConversations,
  loader: Loader,
  steps: number,
  device: DeviceDescription,
): string {
  const count = (n: number) => n.toLocaleString('en-US');
  const { supervised, ignored } = dataset.conversations!;
  const share = ((100 * supervised) / (supervised + ignored)).toFixed(0);
  return [
    `${config.architecture}: ${count(parameterCount(config))} parameters, vocabulary ${count(config.vocab_size)}`,
    `${count(dataset.train.documents)} conversations and texts to train on, ${count(loader.tokens)} tokens; ${count(dataset.eval.documents)} held out; ${share} % of the conversations' tokens supervised; ${count(steps)} steps`,
    onDevice(device),
  ].join('\n');
}
