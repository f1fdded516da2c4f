// Legend: B batch, T tokens.
import type { ModelConfig } from '../model/config.js';

/** A model and the batch that it is trained on. */
export interface TrainShape {
  config: ModelConfig;
  B: number;
  T: number;
}

const common = {
  tie_word_embeddings: true,
  dropout: 0,
  rope_theta: 10000,
  rms_norm_eps: 1e-5,
  layer_norm_epsilon: 1e-5,
  bias: false,
} as const;

function gpt2(layers: number, heads: number, width: number, T: number, vocabulary = 65): ModelConfig {
  return {
    ...common,
    architecture: 'gpt2',
    vocab_size: vocabulary,
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: heads,
    intermediate_size: 4 * width,
    max_position_embeddings: T,
    activation_function: 'gelu',
  };
}

/** The same shapes as SHAPES in peers/models.py. */
export const TRAIN_SHAPES: Record<string, TrainShape> = {
  S1: { config: gpt2(4, 4, 128, 64), B: 12, T: 64 },
  S2: { config: gpt2(6, 6, 384, 256), B: 8, T: 256 },
  // For GPUs: S2 in a batch that fills one, and GPT-2 as it was published.
  S2x64: { config: gpt2(6, 6, 384, 256), B: 64, T: 256 },
  GPT2: { config: gpt2(12, 12, 768, 1024, 50257), B: 8, T: 1024 },
  S3: {
    config: {
      ...common,
      architecture: 'llama',
      vocab_size: 8192,
      hidden_size: 512,
      num_hidden_layers: 8,
      num_attention_heads: 8,
      num_key_value_heads: 8,
      intermediate_size: 1376,
      max_position_embeddings: 512,
      activation_function: 'gelu',
    },
    B: 4,
    T: 512,
  },
};

/** The model of the fine-tuning benchmark and its batch. */
export const SFT_SHAPE: TrainShape = {
  config: {
    ...common,
    architecture: 'llama',
    vocab_size: 8192,
    hidden_size: 384,
    num_hidden_layers: 6,
    num_attention_heads: 6,
    num_key_value_heads: 6,
    intermediate_size: 1024,
    max_position_embeddings: 512,
    activation_function: 'gelu',
  },
  B: 8,
  T: 512,
};

/** The model of the reward benchmark, and the pairs of an update. */
export const REWARD_SHAPE = {
  config: { ...SFT_SHAPE.config, head: 'scalar', max_position_embeddings: 1024 } satisfies ModelConfig,
  pairs: 16,
};

/** The models of the PPO benchmark, all of this size; answers of an update, and the tokens of each and of its prompt; passes over them. */
export const PPO_SHAPE = {
  config: {
    ...common,
    tie_word_embeddings: false,
    architecture: 'llama',
    vocab_size: 512,
    hidden_size: 128,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    num_key_value_heads: 4,
    intermediate_size: 352,
    max_position_embeddings: 128,
    activation_function: 'gelu',
  } satisfies ModelConfig,
  batch: 64,
  prompt: 16,
  response: 32,
  epochs: 4,
};

/** Tokens that the reward benchmarks compute at a time: the stage's default. */
export const MICRO_BATCH_TOKENS = 4096;

/** The names that peers/decode_model.py knows: Llama 6L/384 with a vocabulary of 2,048, and 12L/768 with 8,192, both untied. */
export const DECODE_SHAPES = ['12M', '97M'] as const;

export const PRECISIONS = ['fp32', 'bf16'] as const;
export type Precision = (typeof PRECISIONS)[number];
