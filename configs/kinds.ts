import type { ConfigKind } from './check.js';
import { pretrainKeys } from './keys.js';
import { ppoKeys } from './ppo-keys.js';
import { SAMPLING_REFUSALS } from './ppo-rules.js';
import { type PpoConfig, ppoSchema } from './ppo-schema.js';
import { rewardKeys } from './reward-keys.js';
import { type RewardConfig, rewardSchema } from './reward-schema.js';
import { type PretrainConfig, pretrainSchema } from './schema.js';
import { selectKeys } from './select-keys.js';
import { type SelectConfig, selectSchema } from './select-schema.js';
import { sftKeys } from './sft-keys.js';
import { type SftConfig, sftSchema } from './sft-schema.js';
import { verdictKeys } from './verdict-keys.js';
import { type VerdictConfig, verdictSchema } from './verdict-schema.js';

const CHECKPOINT = 'name a checkpoint, for example runs/NAME/final';

export const PRETRAIN: ConfigKind<PretrainConfig> = {
  name: 'pretrain',
  keys: pretrainKeys,
  schema: pretrainSchema,
  inputs: {
    'data.path': 'correct the path, or bring the data with `fourfold data fetch`',
    'tokenizer.path': 'name a tokenizer.json or a checkpoint',
    init_from: CHECKPOINT,
  },
};

export const SFT: ConfigKind<SftConfig> = {
  name: 'sft',
  keys: sftKeys,
  schema: sftSchema,
  inputs: {
    'data.path': 'correct the path, or make the table with `fourfold data import`',
    'data.replay.path': 'correct the path',
    init_from: CHECKPOINT,
  },
};

export const REWARD: ConfigKind<RewardConfig> = {
  name: 'reward',
  keys: rewardKeys,
  schema: rewardSchema,
  inputs: {
    'data.path': 'correct the path, or make the table with `fourfold data import` or `data rank`',
    'data.boundary': 'correct the path',
    init_from: CHECKPOINT,
  },
};

export const PPO: ConfigKind<PpoConfig> = {
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
export const SELECT: ConfigKind<SelectConfig> = {
  name: 'select',
  keys: selectKeys,
  schema: selectSchema,
  inputs: { checkpoint: CHECKPOINT, tokenizer: 'name a tokenizer.json or a checkpoint', 'reward.model': CHECKPOINT },
};

/** The same of `verdict`. */
export const VERDICT: ConfigKind<VerdictConfig> = {
  name: 'verdict',
  keys: verdictKeys,
  schema: verdictSchema,
  inputs: {
    world: 'make it with `fourfold data world`',
    data: 'correct the path, or make the table with `fourfold data world`',
    'models.NAME.checkpoint': CHECKPOINT,
    reward: CHECKPOINT,
    conversations: 'correct the path',
    text: 'correct the path, or make the tokens with `fourfold data prepare`',
  },
};
