import type { z } from 'zod';
import type { ModelConfig } from '../model/config.js';
import { UserError } from '../util/errors.js';
import { type PretrainKeys, pretrainKeys, rowFormat, stepsGiven } from './keys.js';
import { checkPretrain } from './rules.js';

export { type PretrainInput, stepsGiven, tokensPerStep } from './keys.js';

/** The shape of a model before its vocabulary is known. */
export type ModelShape = Omit<ModelConfig, 'vocab_size'>;

/** Where the tokenizer comes from: an existing one, or one to train. */
export type TokenizerSource =
  | { path: string }
  | { kind: 'bpe' | 'char' | 'word'; vocab_size?: number; min_frequency?: number; max_token_bytes?: number; special_tokens: boolean };

function resolveModel(config: PretrainKeys): Partial<ModelShape> {
  const { model } = config;
  if (config.init_from !== undefined) return model.dropout === undefined ? {} : { dropout: model.dropout };
  const architecture = model.architecture ?? 'llama';
  const hidden = model.hidden_size!;
  return {
    architecture,
    hidden_size: hidden,
    num_hidden_layers: model.num_hidden_layers!,
    num_attention_heads: model.num_attention_heads!,
    num_key_value_heads: model.num_key_value_heads ?? model.num_attention_heads!,
    intermediate_size: model.intermediate_size ?? (architecture === 'llama' ? 32 * Math.ceil((hidden * 8) / 3 / 32) : 4 * hidden),
    max_position_embeddings: model.max_position_embeddings ?? config.context_length,
    tie_word_embeddings: model.tie_word_embeddings ?? true,
    dropout: model.dropout ?? 0,
    rope_theta: model.rope_theta ?? 10000,
    rms_norm_eps: model.rms_norm_eps ?? 1e-5,
    layer_norm_epsilon: model.layer_norm_epsilon ?? 1e-5,
    bias: model.bias ?? architecture === 'gpt2',
    activation_function: model.activation_function ?? 'gelu_new',
  };
}

function resolveTokenizer({ tokenizer, init_from }: PretrainKeys): TokenizerSource {
  const path = init_from ?? tokenizer.path;
  if (path !== undefined) return { path };
  const kind = tokenizer.kind ?? 'bpe';
  return {
    kind,
    ...(kind === 'char' ? {} : { vocab_size: tokenizer.vocab_size ?? 4096, min_frequency: tokenizer.min_frequency ?? 2 }),
    ...(tokenizer.max_token_bytes === undefined ? {} : { max_token_bytes: tokenizer.max_token_bytes }),
    special_tokens: tokenizer.special_tokens ?? true,
  };
}

function resolve(config: PretrainKeys) {
  const document = config.data.document ?? (rowFormat(config.data.path) ? 'row' : 'file');
  const total = stepsGiven(config);
  return {
    ...config,
    model: resolveModel(config),
    tokenizer: resolveTokenizer(config),
    data: {
      ...config.data,
      document,
      columns: { text: config.data.columns.text ?? 'text' },
      split: config.data.split ?? (document === 'file' ? 'tail' : 'hash'),
    },
    warmup_steps: config.warmup_steps ?? Math.min(100, Math.floor((total ?? Infinity) / 10)),
    min_lr_ratio: config.min_lr_ratio ?? 0.1,
    decay_fraction: config.decay_fraction ?? 0.2,
    sample_steps: config.sample_steps ?? config.eval_steps,
    sample_prompts: config.sample_prompts ?? [config.tokenizer.special_tokens === false ? '\n' : ''],
  };
}

/** Reads, checks and completes a pretraining configuration. */
export const pretrainSchema = pretrainKeys.superRefine(checkPretrain, { when: () => true }).transform(resolve);

/** A complete pretraining configuration: every default filled in. */
export type PretrainConfig = z.output<typeof pretrainSchema>;

/**
 * The model to train, once the vocabulary is known.
 * @param base the model of the checkpoint, where `init_from` is given: only its dropout may change.
 * @throws UserError when it is a reward model, or its context is shorter than is wanted.
 */
export function modelConfig(config: PretrainConfig, vocabSize: number, base?: ModelConfig): ModelConfig {
  if (base?.head !== undefined) {
    throw new UserError(
      `Continue from ${config.init_from}: init_from must lead to a language model; this is a reward model. Name the model that it was trained from`,
    );
  }
  const resolved = { ...base, ...config.model, vocab_size: vocabSize } as ModelConfig;
  if (config.context_length > resolved.max_position_embeddings) {
    throw new UserError(
      `Continue from ${config.init_from}: context_length must be no more than the checkpoint's max_position_embeddings, ` +
        `${resolved.max_position_embeddings}; received ${config.context_length}; lower context_length.`,
    );
  }
  return resolved;
}
