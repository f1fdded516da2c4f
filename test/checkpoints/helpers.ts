import fsp from 'node:fs/promises';
import { join } from 'node:path';
import { generationConfig } from '../../checkpoints/hugging-face.js';
import type { CheckpointContents } from '../../checkpoints/save.js';
import { type ModelConfig, parameterShapes } from '../../model/config.js';
import { toDisk } from '../../model/layout.js';

export const tinyConfig: ModelConfig = {
  architecture: 'llama',
  vocab_size: 8,
  hidden_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 4,
  max_position_embeddings: 8,
  tie_word_embeddings: true,
  dropout: 0.1,
  rope_theta: 10000,
  rms_norm_eps: 1e-5,
  layer_norm_epsilon: 1e-5,
  bias: false,
  activation_function: 'gelu_new',
};

/** A checkpoint all of whose weights and moments are `value`. */
export function contents(value: number, config = tinyConfig): CheckpointContents {
  const shapes = parameterShapes(config);
  const filled = (shape: number[]) => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value);
  return {
    config,
    tokenizer: { version: '1.0', value },
    tokenizerConfig: { value },
    generationConfig: generationConfig({ bos: 0, eos: 1, pad: 2 }),
    modelCard: `# ${value}\n`,
    weights: toDisk(config, (name) => filled(shapes.get(name)!)),
    optimizer: [...shapes].map(([name, shape]) => ({ name: `first.${name}`, shape, data: filled(shape) })),
    trainerState: { step: value },
  };
}

/** All files under a directory, by name. */
export async function filesOf(directory: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of (await fsp.readdir(directory)).sort()) files.set(name, await fsp.readFile(join(directory, name), 'latin1'));
  return files;
}
