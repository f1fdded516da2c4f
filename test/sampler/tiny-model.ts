import { generationConfig } from '../../checkpoints/hugging-face.js';
import { saveCheckpoint } from '../../checkpoints/save.js';
import type { ModelConfig } from '../../model/config.js';
import { initialParameters } from '../../model/parameters.js';
import { type Tokenizer, tokenizerConfig } from '../../tokenizer/index.js';
import { storedWeights } from '../../training/state.js';

/** A small untrained model: its texts are nonsense of all bytes. */
export function tinyConfig(tokenizer: Tokenizer): ModelConfig {
  return {
    architecture: 'llama',
    vocab_size: tokenizer.vocabSize,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    intermediate_size: 64,
    max_position_embeddings: 32,
    tie_word_embeddings: true,
    dropout: 0,
    rope_theta: 10000,
    rms_norm_eps: 1e-5,
    layer_norm_epsilon: 1e-5,
    bias: false,
    activation_function: 'gelu',
  };
}

/** Saves it as a checkpoint. */
export async function saveTinyModel(directory: string, tokenizer: Tokenizer, model = tinyConfig(tokenizer)): Promise<string> {
  const parameters = initialParameters(model, 3);
  await saveCheckpoint(directory, {
    config: model,
    tokenizer: tokenizer.toJSON(),
    tokenizerConfig: tokenizerConfig(tokenizer, model.max_position_embeddings),
    generationConfig: generationConfig(tokenizer.special),
    modelCard: '',
    weights: await storedWeights(model, parameters),
  });
  for (const parameter of parameters.values()) parameter.dispose();
  return directory;
}
