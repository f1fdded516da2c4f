import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { stringify } from 'yaml';
import type { z } from 'zod';
import { UserError } from '../util/errors.js';
import { errorCode } from '../util/files.js';
import { fieldsOf } from './fields.js';
import { namedColumns, pretrainKeys } from './keys.js';
import { ppoKeys } from './ppo-keys.js';
import { SAMPLING_REFUSALS } from './ppo-rules.js';
import { type PpoConfig, type PpoInput, ppoSchema } from './ppo-schema.js';
import { presetNames, presetPath } from './presets.js';
import { problemsOf, show } from './problems.js';
import { rewardKeys } from './reward-keys.js';
import { type RewardConfig, type RewardInput, rewardSchema } from './reward-schema.js';
import { familyKeys } from './rules.js';
import { type PretrainConfig, type PretrainInput, pretrainSchema } from './schema.js';
import { type SelectInput, selectKeys } from './select-keys.js';
import { type SelectConfig, selectSchema } from './select-schema.js';
import { sftKeys } from './sft-keys.js';
import { type SftConfig, type SftInput, sftSchema } from './sft-schema.js';
import { type Problem, Source } from './source.js';

/** What the configurations of a stage have that others have not. */
interface Stage<Config> {
  name: string;
  keys: z.ZodObject;
  schema: z.ZodType<Config>;
  /** Keys whose value is a file or directory that must be there (or a list of them), and what to do where it is not. */
  inputs: Record<string, string>;
  /** Keys that are none on purpose, and why. */
  refusals?: ReadonlyMap<string, string>;
}

const CHECKPOINT = 'name a checkpoint, for example runs/NAME/final';

const PRETRAIN: Stage<PretrainConfig> = {
  name: 'pretrain',
  keys: pretrainKeys,
  schema: pretrainSchema,
  inputs: {
    'data.path': 'correct the path, or bring the data with `fourfold data fetch`',
    'tokenizer.path': 'name a tokenizer.json or a checkpoint',
    init_from: CHECKPOINT,
  },
};

const SFT: Stage<SftConfig> = {
  name: 'sft',
  keys: sftKeys,
  schema: sftSchema,
  inputs: {
    'data.path': 'correct the path, or make the table with `fourfold data import`',
    'data.replay.path': 'correct the path',
    init_from: CHECKPOINT,
  },
};

const REWARD: Stage<RewardConfig> = {
  name: 'reward',
  keys: rewardKeys,
  schema: rewardSchema,
  inputs: {
    'data.path': 'correct the path, or make the table with `fourfold data import` or `data rank`',
    'data.boundary': 'correct the path',
    init_from: CHECKPOINT,
  },
};

const PPO: Stage<PpoConfig> = {
  name: 'ppo',
  keys: ppoKeys,
  schema: ppoSchema,
  inputs: {
    'data.path': 'correct the path, or make the table with `fourfold data import`',
    'data.eval_path': 'correct the path',
    'reward.model': CHECKPOINT,
    'reward.world': 'make it with `fourfold data world`',
    'ptx.path': 'correct the path',
    init_from: CHECKPOINT,
  },
  refusals: SAMPLING_REFUSALS,
};

/** What `data select` reads is checked as the configuration of a stage is. */
const SELECT: Stage<SelectConfig> = {
  name: 'select',
  keys: selectKeys,
  schema: selectSchema,
  inputs: { checkpoint: CHECKPOINT, tokenizer: 'name a tokenizer.json or a checkpoint', 'reward.model': CHECKPOINT },
};

/**
 * Reads a pretraining configuration from a YAML file, or a ready one by its name (`shakespeare-char`).
 * @param overrides `key=value`, dotted: `model.hidden_size=256`.
 * @throws UserError that lists everything that is wrong, each with its place.
 */
export async function loadPretrainConfig(file: string, overrides: readonly string[] = []): Promise<PretrainConfig> {
  return load(PRETRAIN, file, overrides);
}

/** The same of supervised fine-tuning. */
export async function loadSftConfig(file: string, overrides: readonly string[] = []): Promise<SftConfig> {
  return load(SFT, file, overrides);
}

/** The same of a reward model. */
export async function loadRewardConfig(file: string, overrides: readonly string[] = []): Promise<RewardConfig> {
  return load(REWARD, file, overrides);
}

/** The same of PPO. */
export async function loadPpoConfig(file: string, overrides: readonly string[] = []): Promise<PpoConfig> {
  return load(PPO, file, overrides);
}

/** The same of the selection of conversations; without a file the command line says all. */
export async function loadSelectConfig(file: string | undefined, overrides: readonly string[] = []): Promise<SelectConfig> {
  const text = file === undefined ? '' : await readConfig(file, 'name a YAML file');
  return check(SELECT, new Source(file, text, overrides), file ?? 'of the command line', {}, missingFiles);
}

/** Checks a configuration of the stage that it names (`stage: sft`); one that names none is of pretraining. */
export async function checkConfig(file: string, overrides: readonly string[] = []): Promise<void> {
  const path = presetPath(file) ?? file;
  const stage = new Source(path, await readConfig(path), overrides).at(['stage']);
  const loaders: Record<string, (file: string, overrides: readonly string[]) => Promise<unknown>> = {
    [SFT.name]: loadSftConfig,
    [REWARD.name]: loadRewardConfig,
    [PPO.name]: loadPpoConfig,
  };
  await (loaders[String(stage)] ?? loadPretrainConfig)(file, overrides);
}

/** `loadPretrainConfig` for text that is already in memory; whether the files it names are there is not looked at. */
export function parsePretrainConfig(text: string, file: string, overrides: readonly string[] = []): PretrainConfig {
  return check(PRETRAIN, new Source(file, text, overrides), file);
}

/** `loadSftConfig` for text that is already in memory. */
export function parseSftConfig(text: string, file: string, overrides: readonly string[] = []): SftConfig {
  return check(SFT, new Source(file, text, overrides), file);
}

/** `loadRewardConfig` for text that is already in memory. */
export function parseRewardConfig(text: string, file: string, overrides: readonly string[] = []): RewardConfig {
  return check(REWARD, new Source(file, text, overrides), file);
}

/** `loadPpoConfig` for text that is already in memory. */
export function parsePpoConfig(text: string, file: string, overrides: readonly string[] = []): PpoConfig {
  return check(PPO, new Source(file, text, overrides), file);
}

/** `loadSelectConfig` for text that is already in memory. */
export function parseSelectConfig(text: string, file: string, overrides: readonly string[] = []): SelectConfig {
  return check(SELECT, new Source(file, text, overrides), file);
}

/** Checks and completes a configuration given as an object. */
export function resolvePretrainConfig(config: PretrainInput): PretrainConfig {
  return parsePretrainConfig(stringify(config), 'configuration');
}

/** Checks and completes a configuration given as an object. */
export function resolveSftConfig(config: SftInput): SftConfig {
  return parseSftConfig(stringify(config), 'configuration');
}

/** Checks and completes a configuration given as an object. */
export function resolveRewardConfig(config: RewardInput): RewardConfig {
  return parseRewardConfig(stringify(config), 'configuration');
}

/** Checks and completes a configuration given as an object. */
export function resolvePpoConfig(config: PpoInput): PpoConfig {
  return parsePpoConfig(stringify(config), 'configuration');
}

/** Checks and completes a configuration given as an object. */
export function resolveSelectConfig(config: SelectInput): SelectConfig {
  return parseSelectConfig(stringify(config), 'configuration');
}

/** A complete configuration as YAML. Keys that have no meaning in it are left out, so that it can be read again and gives itself. */
export function resolvedYaml(config: PretrainConfig): string {
  const { model, tokenizer, data, ...rest } = structuredClone(config) as PretrainConfig & Record<string, unknown>;
  const other = model.architecture === 'gpt2' ? 'llama' : 'gpt2';
  for (const key of familyKeys[other]) delete model[key];
  if (!namedColumns(data.path)) delete (data as { columns?: unknown }).columns;
  const resolved = { ...withoutUnused(rest), model, data, ...(rest.init_from === undefined ? { tokenizer } : {}) };
  return stringify(inOrder(resolved, pretrainKeys.shape));
}

/** The same of supervised fine-tuning. */
export function resolvedSftYaml(config: SftConfig): string {
  return stringify(inOrder(withoutUnused(structuredClone(config)), sftKeys.shape));
}

/** The same of a reward model. */
export function resolvedRewardYaml(config: RewardConfig): string {
  const { ties, label_smoothing_factor, center_rewards_coefficient, ...rest } = structuredClone(config);
  const used = {
    ...rest,
    ...(config.loss === 'bradley_terry' && { ties, label_smoothing_factor }),
    ...(config.head === 'scalar' && { center_rewards_coefficient }),
  };
  return stringify(inOrder(withoutUnused(used), rewardKeys.shape));
}

/** The same of PPO. */
export function resolvedPpoYaml(config: PpoConfig): string {
  return stringify(inOrder(withoutUnused(structuredClone(config)), ppoKeys.shape));
}

/** Without what another schedule of the learning rate would need. */
function withoutUnused<T extends { lr_scheduler_type: string }>(config: T): T {
  const rest: T & { decay_fraction?: unknown; min_lr_ratio?: unknown } = { ...config };
  if (rest.lr_scheduler_type !== 'wsd') delete rest.decay_fraction;
  if (rest.lr_scheduler_type === 'constant') delete rest.min_lr_ratio;
  return rest;
}

/** The keys of `values`, and of the sections in it, in the order of the schema. */
function inOrder(values: Record<string, unknown>, order: object): Record<string, unknown> {
  const names = Object.keys(order);
  const keys = Object.keys(values).sort((a, b) => names.indexOf(a) - names.indexOf(b));
  return Object.fromEntries(keys.map((key) => [key, values[key]]));
}

async function load<Config>(stage: Stage<Config>, file: string, overrides: readonly string[]): Promise<Config> {
  const path = presetPath(file) ?? file;
  const name = basename(path, extname(path));
  return check(stage, new Source(path, await readConfig(path), overrides), path, { output_dir: `runs/${name}` }, missingFiles);
}

function check<Config>(
  stage: Stage<Config>,
  source: Source,
  file: string,
  defaults: object = {},
  inspect?: (stage: Stage<Config>, source: Source) => Problem[],
): Config {
  const named = source.valid ? source.at(['stage']) : undefined;
  if ([PRETRAIN, SFT, REWARD, PPO].some(({ name }) => name === named) && named !== stage.name) {
    throw new UserError(
      `Read the configuration ${file}: it must be of the stage ${stage.name}; it is of ${named}. Run it with fourfold ${named}`,
    );
  }
  const problems = [...source.problems, ...(inspect?.(stage, source) ?? [])];
  if (source.valid) {
    const result = stage.schema.safeParse(isObject(source.value) ? { ...defaults, ...source.value } : source.value);
    if (result.success && problems.length === 0) return result.data;
    problems.push(...problemsOf(result.error?.issues ?? [], source, fieldsOf(stage.keys), stage.refusals));
  }
  problems.sort((a, b) => a.order - b.order);
  const lines = new Set(problems.map(({ place, text }) => `${place}: ${text}`));
  throw new UserError(
    `Read the configuration ${file}: ${lines.size === 1 ? 'one error' : `${lines.size} errors`}\n${[...lines].join('\n')}`,
  );
}

function missingFiles<Config>(stage: Stage<Config>, source: Source): Problem[] {
  const problems: Problem[] = [];
  for (const [key, wayOut] of Object.entries(stage.inputs)) {
    const path = key.split('.');
    const given = source.at(path);
    for (const value of Array.isArray(given) ? given : [given]) {
      if (typeof value !== 'string' || value === '' || existsSync(value)) continue;
      problems.push({ ...source.place(path), text: `${key}: there is no such file; received ${show(value)}; ${wayOut}` });
    }
  }
  return problems;
}

async function readConfig(
  path: string,
  wayOut = `name a YAML file or a ready configuration: ${presetNames().join(', ')}`,
): Promise<string> {
  const fail = (rule: string, repair: string) => new UserError(`Read the configuration: ${rule}; received ${show(path)}; ${repair}`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof TypeError) throw fail('the file must be UTF-8 text', 'save it as UTF-8');
    if (errorCode(error) === 'ENOENT') throw fail('there is no such file', wayOut);
    if (errorCode(error) === 'EISDIR') throw fail('it must be a file, and this is a directory', wayOut);
    throw fail(`the file cannot be read (${errorCode(error)})`, 'see to its permissions');
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
