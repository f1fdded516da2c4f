// Legend: B batch, T tokens.
import path from 'node:path';
import { type DeviceDescription, peakFlops } from '../backends/device.js';
import { loadCheckpoint, resolveCheckpoint } from '../checkpoints/load.js';
import { pruneCheckpoints } from '../checkpoints/save.js';
import { resolvedYaml } from '../configs/load.js';
import { modelConfig, type PretrainConfig, stepsGiven } from '../configs/schema.js';
import { type HostBatch, type Loader, type LoaderOptions, type LoaderState, openLoader } from '../datasets/loader.js';
import { openPass, type Pass } from '../datasets/pass.js';
import { prepareTraining } from '../datasets/training.js';
import { evaluator, type LanguageModelMetrics } from '../evaluation/language-model.js';
import { flopsPerToken, type ModelConfig, parameterCount } from '../model/config.js';
import { initialParameters, parametersFrom } from '../model/parameters.js';
import { sampleText } from '../sampler/sample.js';
import type { Tokenizer } from '../tokenizer/index.js';
import { onDevice } from '../training/device.js';
import { lossScaleMetrics } from '../training/loss-scale.js';
import { Progress } from '../training/progress.js';
import { openRunDirectory, type RunDirectory, type StageResult } from '../training/run-directory.js';
import { saveModel } from '../training/save-model.js';
import { learningRate } from '../training/schedule.js';
import { Speed } from '../training/speed.js';
import { resumedState, startDevice, type TrainerState } from '../training/start.js';
import { disposeState, type TrainState, trainState } from '../training/state.js';
import { stepOptions, stepper } from '../training/step.js';
import { sourceTable } from './source-table.js';

/**
 * Pretraining: a language model from raw text by next-token prediction.
 * Writes `run.directory` as docs/architecture.md describes it. An aborted `signal` ends the run after the step under way, saved.
 * @throws UserError for data that cannot be used, for a directory that holds another run, and for a loss or gradient that is not finite.
 */
export async function pretrain(
  config: PretrainConfig,
  run: { directory: string; resume?: string },
  signal: AbortSignal,
): Promise<StageResult> {
  const directory = await openRunDirectory(run.directory, { resume: run.resume });
  const say = (text: string) => console.error(text);
  try {
    // 1. The device, the same as before when the run goes on.
    const device = await startDevice(config, directory, say);
    await directory.writeConfig(resolvedYaml(config));

    // 2. Text to tokens: documents are split, the tokenizer trained on the training part, both parts encoded.
    const { tokenizer, tokens } = await prepareTraining(config, path.join(directory.path, 'tokens'), {
      reuse: directory.resumeFrom !== undefined,
      say,
      signal,
    });
    const { batch_size: B, context_length: T } = config;
    const loader = await openLoader(loaderOptions(config, tokens));
    const heldOut = await openPass({ directory: tokens, split: 'eval', contextLength: T, batchSize: B, packing: config.data.packing });

    // 3. The model: new, continued from a checkpoint, or as it was when the run stopped.
    const { state, trainer } = await startingState(config, tokenizer, directory, loader);
    const totalSteps = stepsOf(config, loader);
    const step = stepper(state, B, T, stepOptions(config));
    const evaluation = evaluator(state.config, state.parameters, B, T);
    const flops = flopsPerToken(state.config, T);
    const peak = peakFlops(config.precision);
    say(describeModel(state.config, loader, heldOut, totalSteps, device));
    if (loader.sources.length > 1) say(sourceTable(config, loader, totalSteps));

    // 4. Train.
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
        name: path.basename(config.output_dir),
        data: path.basename(config.data.path),
        loader: loaderState,
      });
    const saveStep = async () => {
      if (saved === state.step) return;
      await save(directory.checkpoint(state.step), loader.state());
      saved = state.step;
      await pruneCheckpoints(directory.checkpoints, config.save_total_limit, trainer.metrics['best/step']);
    };

    while (state.step < totalSteps && !signal.aborted) {
      // 4.1 One update from the accumulated gradients of the micro-batches.
      const rate = learningRate(config, state.step, totalSteps);
      const batches: HostBatch[] = [];
      for (let i = 0; i < config.gradient_accumulation_steps; i++) batches.push(await loader.next());
      const { loss, gradNorm, tokens: supervised } = await step.step(batches, rate);
      trainer.step = state.step;
      trainer.tokens += supervised;
      const last = state.step === totalSteps;
      const record: Record<string, number> = {};

      // 4.2 Measure.
      if (state.step % config.logging_steps === 0 || last) {
        const measured = speed.measure(trainer.tokens);
        const { tokens_per_second: tokensPerSecond } = measured;
        Object.assign(record, {
          loss,
          lr: rate,
          grad_norm: gradNorm,
          tokens: trainer.tokens,
          ...measured,
          ...(await lossScaleMetrics(state)),
        });
        progress.update({ step: state.step, loss, tokensPerSecond, peakFraction: peak && (tokensPerSecond * flops) / peak });
      }

      await speed.pause(async () => {
        // 4.3 Evaluate on the whole held-out part; sample.
        let isBest = false;
        if (state.step % config.eval_steps === 0 || last) {
          const held = await evaluation.evaluate(heldOut);
          Object.assign(record, held);
          Object.assign(trainer.metrics, held);
          isBest = !(trainer.metrics['best/eval/loss'] <= held['eval/loss']);
          if (isBest) Object.assign(trainer.metrics, { 'best/eval/loss': held['eval/loss'], 'best/step': state.step });
          progress.note(`step ${state.step}: ${describeEvaluation(held, heldOut.sources)}`);
        }
        if (config.sample_steps > 0 && (state.step % config.sample_steps === 0 || last)) {
          for (const sample of await samples(config, state, tokenizer)) directory.samples.write({ step: state.step, ...sample });
        }
        if (Object.keys(record).length > 0) directory.metrics.write({ step: state.step, ...record });
        Object.assign(metrics, record);

        // 4.4 Save.
        if (state.step % config.save_steps === 0 || isBest || last) await saveStep();
      });
      // Signals are handled between macrotasks only.
      await new Promise((resolve) => setImmediate(resolve));
    }
    progress.end();

    // 5. Leave: a run that was stopped is saved as it is, a finished one as `final`.
    await saveStep();
    const finished = state.step === totalSteps;
    if (finished) await save(directory.final);
    const result: StageResult = {
      stage: 'pretrain',
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
    await heldOut.close();
    return result;
  } finally {
    await directory.close();
  }
}

/** Steps of the whole run. */
export function stepsOf(config: PretrainConfig, loader: Loader): number {
  return stepsGiven(config) ?? Math.ceil((config.epochs! * loader.batchesPerEpoch) / config.gradient_accumulation_steps);
}

/** What the configuration says to the loader of training data. */
export function loaderOptions(config: PretrainConfig, tokens: string): LoaderOptions {
  const { packing, sampling, mixture } = config.data;
  return {
    directory: tokens,
    contextLength: config.context_length,
    batchSize: config.batch_size,
    packing,
    sampling,
    mixture,
    seed: config.seed,
  };
}

/** All that resuming needs, beside the tensors. */
interface PretrainState extends TrainerState {
  loader: LoaderState;
}

/** The model and its trainer's state: where the run stopped, where another checkpoint ended, or new. Moves the loader to its place. */
async function startingState(
  config: PretrainConfig,
  tokenizer: Tokenizer,
  directory: RunDirectory,
  loader: Loader,
): Promise<{ state: TrainState; trainer: PretrainState }> {
  const resumed = await resumedState<PretrainState>(directory, tokenizer.hash());
  if (resumed) {
    await loader.restore(resumed.trainer.loader);
    return resumed;
  }
  const fresh: PretrainState = { stage: 'pretrain', step: 0, tokens: 0, loader: loader.state(), tokenizer: tokenizer.hash(), metrics: {} };
  if (config.init_from !== undefined) {
    const checkpoint = await loadCheckpoint(await resolveCheckpoint(config.init_from));
    const model = modelConfig(config, tokenizer.vocabSize, checkpoint.config);
    return { state: trainState(model, parametersFrom(model, checkpoint.weights)), trainer: fresh };
  }
  const model = modelConfig(config, tokenizer.vocabSize);
  return { state: trainState(model, initialParameters(model, config.seed)), trainer: fresh };
}

/** One continuation of each prompt of the configuration; the seed is fixed, so that samples of different steps can be compared. */
async function samples(config: PretrainConfig, state: TrainState, tokenizer: Tokenizer): Promise<{ prompt: string; text: string }[]> {
  const model = { config: state.config, parameters: state.parameters, tokenizer };
  const texts = await sampleText(model, config.sample_prompts, { maxTokens: config.sample_max_tokens, seed: config.seed });
  return config.sample_prompts.map((prompt, i) => ({ prompt, text: texts[i] }));
}

/** Loss and bits per byte, with those of each source where there are several. */
function describeEvaluation(held: LanguageModelMetrics, sources: readonly string[]): string {
  const each = sources.map((source) => `${source} ${held[`eval/bits_per_byte/${source}`]?.toFixed(4)}`);
  const bits = `${held['eval/bits_per_byte'].toFixed(4)} bits per byte${sources.length > 1 ? ` (${each.join(', ')})` : ''}`;
  return `eval loss ${held['eval/loss'].toFixed(4)}, ${bits}`;
}

function describeModel(config: ModelConfig, train: Loader, heldOut: Pass, steps: number, device: DeviceDescription): string {
  const count = (n: number) => n.toLocaleString('en-US');
  return [
    `${config.architecture}: ${count(parameterCount(config))} parameters, vocabulary ${count(config.vocab_size)}`,
    `${count(train.tokens)} tokens to train on, ${count(heldOut.tokens)} held out; ${count(steps)} steps`,
    onDevice(device),
  ].join('\n');
}
