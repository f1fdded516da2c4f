import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { stringify } from 'yaml';
import { UserError } from '../util/errors.js';
import { errorCode } from '../util/files.js';
import { type ConfigKind, checked, listed } from './check.js';
import { namedColumns, pretrainKeys } from './keys.js';
import { PPO, PRETRAIN, REWARD, SELECT, SFT, VERDICT } from './kinds.js';
import { ppoKeys } from './ppo-keys.js';
import type { PpoConfig, PpoInput } from './ppo-schema.js';
import { presetNames, presetPath } from './presets.js';
import { show } from './problems.js';
import { rewardKeys } from './reward-keys.js';
import type { RewardConfig, RewardInput } from './reward-schema.js';
import { familyKeys } from './rules.js';
import type { PretrainConfig, PretrainInput } from './schema.js';
import type { SelectInput } from './select-keys.js';
import type { SelectConfig } from './select-schema.js';
import { sftKeys } from './sft-keys.js';
import type { SftConfig, SftInput } from './sft-schema.js';
import { Source } from './source.js';
import type { VerdictInput } from './verdict-keys.js';
import type { VerdictConfig } from './verdict-schema.js';

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
  return check(SELECT, new Source(file, text, overrides), file ?? 'of the command line', {}, true);
}

/** The same of a verdict. */
export async function loadVerdictConfig(file: string, overrides: readonly string[] = []): Promise<VerdictConfig> {
  return check(VERDICT, new Source(file, await readConfig(file, 'name a YAML file'), overrides), file, {}, true);
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

/** `loadVerdictConfig` for text that is already in memory. */
export function parseVerdictConfig(text: string, file: string, overrides: readonly string[] = []): VerdictConfig {
  return check(VERDICT, new Source(file, text, overrides), file);
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

/** Checks and completes a configuration given as an object. */
export function resolveVerdictConfig(config: VerdictInput): VerdictConfig {
  return parseVerdictConfig(stringify(config), 'configuration');
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

async function load<Config>(kind: ConfigKind<Config>, file: string, overrides: readonly string[]): Promise<Config> {
  const path = presetPath(file) ?? file;
  const name = basename(path, extname(path));
  return check(kind, new Source(path, await readConfig(path), overrides), path, { output_dir: `runs/${name}` }, true);
}

function check<Config>(kind: ConfigKind<Config>, source: Source, file: string, defaults: object = {}, files = false): Config {
  const named = source.valid ? source.at(['stage']) : undefined;
  if ([PRETRAIN, SFT, REWARD, PPO].some(({ name }) => name === named) && named !== kind.name) {
    throw new UserError(
      `Read the configuration ${file}: it must be of the stage ${kind.name}; it is of ${named}. Run it with fourfold ${named}`,
    );
  }
  const { config, problems } = source.valid ? checked(kind, source, { defaults, files }) : { problems: [] };
  if (config !== undefined && source.problems.length === 0) return config;
  throw new UserError(`Read the configuration ${file}: ${listed([...source.problems, ...problems])}`);
}

export async function readConfig(
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
