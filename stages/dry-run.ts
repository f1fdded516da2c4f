import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { checkPrecision, useDevice } from '../backends/device.js';
import { loadCheckpoint, resolveCheckpoint } from '../checkpoints/load.js';
import { resolvedYaml } from '../configs/load.js';
import { modelConfig, type PretrainConfig, tokensPerStep } from '../configs/schema.js';
import { type HostBatch, openLoader } from '../datasets/loader.js';
import { prepareTraining } from '../datasets/training.js';
import { parameterCount } from '../model/config.js';
import { initialParameters } from '../model/parameters.js';
import { setPrecision } from '../ops/precision.js';
import type { Tokenizer } from '../tokenizer/index.js';
import { duration } from '../training/progress.js';
import { disposeState, trainState } from '../training/state.js';
import { stepper } from '../training/step.js';
import { loaderOptions, sourceTable, stepOptions, stepsOf } from './pretrain.js';

const MEASURED_STEPS = 3;

/**
 * What a pretraining run would be: the resolved configuration, the model's size, and, from a few real steps on this machine that are thrown away, its speed,
 * time and memory; then one row of the first batch with its mask. Writes nothing that stays.
 */
export async function dryRun(config: PretrainConfig): Promise<string> {
  const warnings: string[] = [];
  const device = await useDevice(config.device, { threads: config.threads, warn: (text) => warnings.push(text) });
  checkPrecision(config.precision);
  setPrecision(config.precision);
  const temporary = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-'));
  try {
    const { tokenizer, tokens } = await prepareTraining(config, path.join(temporary, 'tokens'), {
      reuse: false,
      say: (text) => warnings.push(text),
    });
    const { batch_size: B, context_length: T, seed } = config;
    const loader = await openLoader(loaderOptions(config, tokens));
    const base = config.init_from === undefined ? undefined : (await loadCheckpoint(await resolveCheckpoint(config.init_from))).config;
    const model = modelConfig(config, tokenizer.vocabSize, base);
    const state = trainState(model, initialParameters(model, seed));
    const step = stepper(state, B, T, stepOptions(config));
    const first = await loader.next();
    await step.step([first], 0);
    const start = performance.now();
    for (let i = 0; i < MEASURED_STEPS; i++) await step.step([await loader.next()], 0);
    const batchSeconds = (performance.now() - start) / 1000 / MEASURED_STEPS;
    const steps = stepsOf(config, loader);
    const facts = {
      model: `${model.architecture}, ${number(parameterCount(model))} parameters, vocabulary ${number(model.vocab_size)}`,
      device: `${device.device}${device.isa ? ` (${device.isa})` : ''}, ${device.threads} threads, ${config.precision}`,
      data: `${number(loader.tokens)} tokens to train on`,
      run: `${number(steps)} steps of ${number(tokensPerStep(config))} tokens`,
      speed: `about ${number(Math.round((B * T) / batchSeconds))} tokens/s (${MEASURED_STEPS} batches measured)`,
      time: `about ${duration(steps * config.gradient_accumulation_steps * batchSeconds * 1000)}, evaluation and samples not counted`,
      memory: `about ${number(Math.round(process.resourceUsage().maxRSS / 1024))} MB`,
    };
    step.dispose();
    disposeState(state);
    await loader.close();
    const sources = loader.sources.length > 1 ? ['', sourceTable(config, loader, steps)] : [];
    const table = Object.entries(facts).map(([name, value]) => `${`${name}:`.padEnd(8)} ${value}`);
    return [...warnings, resolvedYaml(config), ...table, ...sources, '', example(first, tokenizer)].join('\n');
  } finally {
    await fs.rm(temporary, { recursive: true, force: true });
  }
}

function number(n: number): string {
  return n.toLocaleString('en-US');
}

/** The first row as text, and its tokens one by one: what is to be predicted after each. */
function example({ ids, targets, contextLength }: HostBatch, tokenizer: Tokenizer): string {
  const row = Array.from(ids.subarray(0, contextLength));
  const wanted = targets.subarray(0, contextLength);
  const supervised = wanted.reduce((n, target) => n + (target >= 0 ? 1 : 0), 0);
  const shown = row.slice(0, 12).map((id, i) => {
    const target = wanted[i] < 0 ? 'ignored' : JSON.stringify(tokenizer.decode([wanted[i]]));
    return `  ${JSON.stringify(tokenizer.decode([id]))} → ${target}`;
  });
  return [
    `first row, ${supervised} of ${contextLength} tokens supervised:`,
    JSON.stringify(tokenizer.decode(row)),
    'token → what the model is to predict after it:',
    ...shown,
    ...(row.length > shown.length ? [`  … and ${row.length - shown.length} more`] : []),
  ].join('\n');
}
