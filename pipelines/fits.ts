import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readCheckpointFiles, resolveCheckpoint } from '../checkpoints/load.js';
import type { Placed } from '../configs/source.js';
import { readTokenizer } from '../tokenizer/index.js';
import { exists } from '../util/files.js';

/** What is known of a model, a tokenizer or tokens before they are made. */
export interface Facts {
  /** Equal for equal tokenizers: the step that makes it, or its SHA-256. */
  tokenizer?: string;
  /** The longest text, in tokens. */
  context?: number;
}

/** Finds what is known of the thing at a path. */
export type FactsOf = (path: unknown) => Promise<Facts>;

/** Says what does not fit: at a key, the rule, what was received, the way out. */
export type Misfit = (key: string, rule: string, received: string, wayOut: string) => void;

interface Step {
  name: string;
  kind: string;
  config: Placed;
}

/**
 * Checks that a step's inputs fit together, as far as it shows before anything is made, and says what is then known of its outputs. What does not show yet
 * the step itself checks when it runs.
 */
export async function fits({ name, kind, config }: Step, of: FactsOf, misfit: Misfit): Promise<Facts> {
  const at = (key: string) => config.at(key.split('.'));
  const first = (key: string) => [at(key)].flat()[0];
  const longer = (key: string, context: number | undefined, what: string, most: number) => {
    const length = at(key);
    if (context === undefined || typeof length !== 'number' || length <= most) return;
    misfit(key, `must be at most ${most}: ${what}`, String(length), 'lower it, or train that model with a longer context_length');
  };
  const same = (key: string, tokenizer: string | undefined, other: string | undefined, what: string) => {
    if (tokenizer === undefined || other === undefined || origin(tokenizer) !== origin(other) || tokenizer === other) return;
    misfit(
      key,
      `must have the tokenizer of ${what}`,
      `another (${shown(other)}; ${what} has ${shown(tokenizer)})`,
      'make both with one tokenizer',
    );
  };
  switch (kind) {
    case 'tokenizer':
      return { tokenizer: name };
    case 'prepare':
      return at('tokenizer') === undefined ? { tokenizer: name } : { tokenizer: (await of(at('tokenizer'))).tokenizer };
    case 'pretrain': {
      const base = await of(at('init_from'));
      const tokens = await of(first('data.path'));
      const named = base.tokenizer ?? (await of(at('tokenizer.path'))).tokenizer;
      same('data.path', named, tokens.tokenizer, at('init_from') === undefined ? 'tokenizer.path' : 'init_from');
      longer('context_length', base.context, 'the context of init_from', base.context ?? 0);
      const context = base.context ?? at('model.max_position_embeddings') ?? at('context_length');
      return { tokenizer: named ?? tokens.tokenizer ?? name, context: typeof context === 'number' ? context : undefined };
    }
    case 'sft':
    case 'reward': {
      const base = await of(at('init_from'));
      longer('context_length', base.context, 'the context of init_from', base.context ?? 0);
      same('data.replay.path', base.tokenizer, (await of(at('data.replay.path'))).tokenizer, 'init_from');
      return base;
    }
    case 'ppo': {
      const base = await of(at('init_from'));
      const judge = await of(at('reward.model'));
      longer('max_new_tokens', base.context, 'the context of init_from, less a prompt', (base.context ?? 0) - 1);
      longer('max_new_tokens', judge.context, 'the context of reward.model, less a prompt', (judge.context ?? 0) - 1);
      same('reward.model', base.tokenizer, judge.tokenizer, 'init_from');
      same('ptx.path', base.tokenizer, (await of(at('ptx.path'))).tokenizer, 'init_from');
      return base;
    }
    case 'generate': {
      const model = await of(at('checkpoint'));
      longer('max_tokens', model.context, 'the context of checkpoint, less a prompt', (model.context ?? 0) - 1);
      return {};
    }
    default:
      return {};
  }
}

/** Of what lies on disk: a checkpoint, a tokenizer, prepared tokens; nothing of what is none of them, or cannot be read (whoever uses it says so). */
export async function factsOnDisk(file: unknown): Promise<Facts> {
  if (typeof file !== 'string' || !(await exists(file))) return {};
  try {
    const dataset = path.join(file, 'dataset.json');
    if (await exists(dataset)) return { tokenizer: `sha256:${JSON.parse(await readFile(dataset, 'utf8')).tokenizer_sha256}` };
    const checkpoint = await resolveCheckpoint(file).catch(() => undefined);
    const tokenizer = await readTokenizer(checkpoint ?? file);
    const context = checkpoint === undefined ? undefined : (await readCheckpointFiles(checkpoint)).config.max_position_embeddings;
    return { tokenizer: `sha256:${tokenizer.hash()}`, context };
  } catch {
    return {};
  }
}

/** Tokenizers that steps make and those that lie on disk cannot be compared yet. */
const origin = (tokenizer: string) => tokenizer.startsWith('sha256:');

const shown = (tokenizer: string) => (origin(tokenizer) ? `${tokenizer.slice(7, 19)}` : `the one of ${tokenizer}`);
