import type { z } from 'zod';
import { namedColumns, rowFormat, stepsGiven } from './keys.js';

/** Keys of `model` that only one family of models knows. */
export const familyKeys = {
  llama: ['rope_theta', 'rms_norm_eps'],
  gpt2: ['layer_norm_epsilon', 'bias', 'activation_function'],
} as const;

/** A rule over several keys is broken at `path`: the rule, the way out and, where it says more than the value there, what was received. */
export type Report = (path: string, rule: string, wayOut: string, received?: unknown) => void;

export function reporter(context: z.core.$RefinementCtx): Report {
  return (path, message, wayOut, received) =>
    context.addIssue({ code: 'custom', path: path.split('.'), message, params: { wayOut, received } });
}

/** The rules that hold between keys. Values may be wrong one by one, which is reported elsewhere: such a value breaks no rule here. */
export function checkPretrain(value: unknown, context: z.core.$RefinementCtx): void {
  const report = reporter(context);
  if (!isSection(value)) return;
  const config = value;
  checkModel(config, report);
  checkTokenizer(config, report);
  checkData(config, report);
  checkLength(config, report);
  checkPrecision(config, report);
}

export function checkPrecision(config: Unchecked, report: Report): void {
  if (['bf16', 'fp16'].includes(config.precision as string) && !['auto', 'native'].includes(config.device as string)) {
    report('precision', `${config.precision} is for the native device, not ${config.device}`, 'set device: native or precision: fp32');
  }
}

/** The same for supervised fine-tuning. */
export function checkSft(value: unknown, context: z.core.$RefinementCtx): void {
  const report = reporter(context);
  if (!isSection(value)) return;
  const config = value;
  const data = partOf(config.data);
  checkStepsOrEpochs(config, report);
  checkSchedule(config, undefined, report);
  checkMixture(data, report);
  checkPrecision(config, report);
  if (data.eval_fraction === 0 && count(config.early_stopping_patience)) {
    report('early_stopping_patience', 'needs held-out conversations, and data.eval_fraction is 0', 'remove it or raise data.eval_fraction');
  }
  const replay = partOf(data.replay);
  if (replay.fraction !== undefined && replay.path === undefined) {
    report('data.replay.fraction', 'is for data.replay.path, which names no text', 'name the text, or remove it');
  }
}

/** The same for reward models. */
export function checkReward(value: unknown, context: z.core.$RefinementCtx): void {
  const report = reporter(context);
  if (!isSection(value)) return;
  const config = value;
  const data = partOf(config.data);
  checkStepsOrEpochs(config, report);
  checkSchedule(config, undefined, report);
  checkPrecision(config, report);
  if (data.eval_fraction === 0 && count(config.early_stopping_patience)) {
    report('early_stopping_patience', 'needs held-out rankings, and data.eval_fraction is 0', 'remove it or raise data.eval_fraction');
  }
  if (config.loss === 'plackett_luce') {
    const wayOut = 'remove it or set loss: bradley_terry';
    if (config.ties !== undefined && config.ties !== 'ignore') report('ties', 'is for loss: bradley_terry; a ranking has none', wayOut);
    if (typeof config.label_smoothing_factor === 'number' && config.label_smoothing_factor > 0)
      report('label_smoothing_factor', 'is for loss: bradley_terry', wayOut);
    if (config.head === 'pair')
      report('loss', 'a pair head compares two answers: bradley_terry only', 'set loss: bradley_terry or head: scalar');
  }
  if (config.head === 'pair' && config.center_rewards_coefficient !== undefined && config.center_rewards_coefficient !== 0) {
    report('center_rewards_coefficient', 'is for head: scalar; a pair head has no score of one answer', 'remove it');
  }
}

/** Where the length of a run may be given in steps or in epochs. */
export function checkStepsOrEpochs(config: Unchecked, report: Report): void {
  if (config.max_steps === undefined || config.epochs === undefined) return;
  const wayOut = 'remove one (on the command line: max_steps=null)';
  report('epochs', 'only one of max_steps and epochs may say how long to train', wayOut, 'max_steps and epochs');
}

function checkModel(config: Unchecked, report: Report): void {
  const model = partOf(config.model);
  if (config.init_from !== undefined) {
    for (const key of Object.keys(model)) {
      if (key === 'dropout' || model[key] === undefined) continue;
      report(`model.${key}`, 'comes from the checkpoint that init_from names', 'remove it; of model, only dropout may change');
    }
    return;
  }
  if (!isSection(config.model)) return;
  for (const [key, example] of Object.entries({ hidden_size: 128, num_hidden_layers: 4, num_attention_heads: 4 })) {
    if (model[key] !== undefined) continue;
    report(`model.${key}`, 'is required, unless init_from names a checkpoint', `for example model.${key}: ${example}`);
  }
  checkHeads(model, report);
  checkFamily(model, report);
  const context = count(config.context_length);
  const longest = count(model.max_position_embeddings);
  if (context && longest && context > longest) {
    report(
      'context_length',
      `must be no more than model.max_position_embeddings (${longest})`,
      'lower it, or raise model.max_position_embeddings',
    );
  }
}

function checkHeads(model: Unchecked, report: Report): void {
  const hidden = count(model.hidden_size);
  const heads = count(model.num_attention_heads);
  if (hidden && heads) {
    const step = model.architecture === 'gpt2' ? heads : 2 * heads;
    const near = [Math.floor(hidden / step) * step, Math.ceil(hidden / step) * step].filter((size) => size > 0).join(' or ');
    if (hidden % heads) {
      report('model.hidden_size', `must be divisible by num_attention_heads (${heads})`, `use ${near}`);
    } else if (hidden % step) {
      report(
        'model.hidden_size',
        `must give an even head size for rotary positions; ${heads} heads make it ${hidden / heads}`,
        `use ${near}`,
      );
    }
  }
  const groups = count(model.num_key_value_heads);
  if (heads && groups && (model.architecture === 'gpt2' ? heads !== groups : heads % groups)) {
    if (model.architecture === 'gpt2')
      report('model.num_key_value_heads', `gpt2 has as many as num_attention_heads (${heads})`, 'remove it');
    else report('model.num_key_value_heads', `must divide num_attention_heads (${heads})`, `for example ${divisorBelow(heads, groups)}`);
  }
}

function checkFamily(model: Unchecked, report: Report): void {
  const architecture = model.architecture ?? 'llama';
  const other = architecture === 'llama' ? 'gpt2' : 'llama';
  if (architecture !== 'llama' && architecture !== 'gpt2') return;
  for (const key of familyKeys[other]) {
    if (model[key] !== undefined)
      report(
        `model.${key}`,
        `belongs to ${other}, and the architecture is ${architecture}`,
        `remove it or set model.architecture: ${other}`,
      );
  }
}

function checkTokenizer(config: Unchecked, report: Report): void {
  const tokenizer = partOf(config.tokenizer);
  const given = Object.keys(tokenizer).filter((key) => tokenizer[key] !== undefined);
  if (config.init_from !== undefined) {
    for (const key of given) report(`tokenizer.${key}`, 'comes from the checkpoint that init_from names', 'remove it');
    return;
  }
  if (tokenizer.path !== undefined) {
    for (const key of given.filter((key) => key !== 'path')) {
      report(`tokenizer.${key}`, 'is for training a tokenizer, and tokenizer.path names an existing one', 'remove one of the two');
    }
    return;
  }
  const kind = tokenizer.kind ?? 'bpe';
  const size = count(tokenizer.vocab_size);
  if (kind === 'char' && size) report('tokenizer.vocab_size', 'is for bpe and word; char has one token for each character', 'remove it');
  if (kind === 'char' && tokenizer.min_frequency !== undefined) {
    report('tokenizer.min_frequency', 'is for bpe and word; char has every character', 'remove it');
  }
  if (kind !== 'bpe' && tokenizer.max_token_bytes !== undefined) report('tokenizer.max_token_bytes', 'is for bpe', 'remove it');
  if (kind === 'bpe' && size && size >= 17 && size < 272) {
    report('tokenizer.vocab_size', 'must be 272 or more for bpe: 256 bytes and 16 special tokens', 'for example 4096');
  }
  if (kind !== 'char' && tokenizer.special_tokens === false) {
    report('tokenizer.special_tokens', 'may be false for kind: char only', 'remove it or set tokenizer.kind: char');
  }
  if (tokenizer.special_tokens === false && Array.isArray(config.sample_prompts) && config.sample_prompts.includes('')) {
    report(
      'sample_prompts',
      'must not be empty where tokenizer.special_tokens is false: nothing marks a beginning',
      'for example sample_prompts: ["\\n"]',
    );
  }
}

function checkData(config: Unchecked, report: Report): void {
  const data = partOf(config.data);
  if (typeof data.path !== 'string' || data.path === '') return;
  const rows = rowFormat(data.path);
  const document = data.document ?? (rows ? 'row' : 'file');
  if (rows && ['file', 'line', 'blank_line'].includes(document as string)) {
    report('data.document', `must be row for ${data.path}`, 'remove it');
  } else if (!rows && document === 'row') {
    report('data.document', 'row is for .jsonl, .json, .csv, .parquet and .arrow', 'use file, line or blank_line');
  } else if (document === 'file' && data.split === 'hash') {
    report(
      'data.split',
      'hash holds out whole documents, and document: file is only one',
      'set data.split: tail, or data.document: line or blank_line',
    );
  }
  if (!namedColumns(data.path) && partOf(data.columns).text !== undefined) {
    report('data.columns.text', 'is for .jsonl, .json, .csv and .parquet', 'remove it');
  }
  if (data.sampling === 'random' && data.packing === 'segments') {
    report(
      'data.sampling',
      'random draws windows from one stream of text, and packing: segments parts it',
      'set data.sampling: epoch or data.packing: concat',
    );
  }
  checkMixture(data, report);
  if (data.sampling === 'random' && config.epochs !== undefined) {
    report('epochs', 'a run with data.sampling: random has no epochs', 'set max_steps or max_tokens instead, or data.sampling: epoch');
  }
}

function checkMixture(data: Unchecked, report: Report): void {
  if (isSection(data.mixture) && Object.values(data.mixture).every((weight) => weight === 0)) {
    report('data.mixture', 'must give a source a weight above 0', 'for example data.mixture: { wiki: 2, c4: 1 }');
  }
}

function checkLength(config: Unchecked, report: Report): void {
  const ways = ['max_steps', 'max_tokens', 'epochs'] as const;
  const given = ways.filter((key) => config[key] !== undefined);
  if (given.length === 0)
    report('max_steps', 'one of max_steps, max_tokens and epochs says how long to train', 'for example max_steps: 2000');
  for (const key of given.slice(1)) {
    const wayOut = `remove all but one (on the command line: ${given[0]}=null)`;
    report(key, 'only one of max_steps, max_tokens and epochs may say how long to train', wayOut, given.join(' and '));
  }
  checkSchedule(config, given.length === 1 ? totalSteps(config) : undefined, report);
}

export function checkSchedule(config: Unchecked, steps: number | undefined, report: Report): void {
  const schedule = config.lr_scheduler_type ?? 'cosine';
  if (schedule !== 'wsd' && config.decay_fraction !== undefined) {
    report('decay_fraction', 'is for lr_scheduler_type: wsd', 'remove it or set lr_scheduler_type: wsd');
  }
  if (schedule === 'constant' && config.min_lr_ratio !== undefined) {
    report('min_lr_ratio', 'is not for lr_scheduler_type: constant, which stays at learning_rate', 'remove it or choose another schedule');
  }
  const warmup = config.warmup_steps;
  if (!steps || typeof warmup !== 'number') return;
  const decay = schedule === 'wsd' && typeof config.decay_fraction === 'number' ? config.decay_fraction : schedule === 'wsd' ? 0.2 : 0;
  const left = Math.floor(steps * (1 - decay));
  if (warmup > steps) report('warmup_steps', `must be no more than the ${steps} steps of the run`, 'lower it or train longer');
  else if (warmup > left)
    report('warmup_steps', `must leave room for the decay: ${left} of the ${steps} steps`, 'lower it or lower decay_fraction');
}

function totalSteps(config: Unchecked): number | undefined {
  const batch_size = count(config.batch_size);
  const context_length = count(config.context_length);
  const gradient_accumulation_steps = count(config.gradient_accumulation_steps);
  if (!batch_size || !context_length || !gradient_accumulation_steps) return undefined;
  return stepsGiven({
    batch_size,
    context_length,
    gradient_accumulation_steps,
    max_steps: count(config.max_steps),
    max_tokens: count(config.max_tokens),
  });
}

export type Unchecked = Partial<Record<string, unknown>>;

/** A section as it was read, or an empty one where something else stands in its place. */
export function partOf(value: unknown): Unchecked {
  return isSection(value) ? value : {};
}

export function isSection(value: unknown): value is Unchecked {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A whole number of 1 or more, or nothing. */
export function count(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : undefined;
}

/** The largest divisor of `n` that is not above `limit`. */
function divisorBelow(n: number, limit: number): number {
  let divisor = Math.min(n, limit);
  while (n % divisor) divisor--;
  return divisor;
}
