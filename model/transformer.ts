// Legend: B batch, T tokens, C hidden size, F intermediate size, V vocabulary, D head size.
import * as tf from '@tensorflow/tfjs';
import { type AttentionOptions, attention, cachedAttention } from '../ops/attention.js';
import { dropout } from '../ops/dropout.js';
import { embedding } from '../ops/embedding.js';
import { isFrozen, withoutGradient } from '../ops/gradients.js';
import { addLayerNorm, layerNorm } from '../ops/layer-norm.js';
import { type LinearActivation, linear, packedLinear } from '../ops/linear.js';
import { linearOfSome } from '../ops/linear-of-some.js';
import { noise } from '../ops/noise.js';
import { addRmsNorm, rmsNorm } from '../ops/rms-norm.js';
import { rope } from '../ops/rope.js';
import { swiglu } from '../ops/swiglu.js';
import { headSize, type ModelConfig } from './config.js';
import { appended, type KvCache } from './kv-cache.js';
import type { PackedParameters } from './packed.js';
import type { Parameters } from './parameters.js';

/** One batch on the device; all [B, T] int32. */
export interface Batch {
  ids: tf.Tensor2D;
  /** Restart at 0 in each segment. */
  positions: tf.Tensor2D;
  /** A token attends to its own segment only; -1 is padding. */
  segments: tf.Tensor2D;
  /** The token to be predicted; -1 is ignored. */
  targets?: tf.Tensor2D;
}

export interface ForwardOptions {
  /** Keys and values of the tokens before these; the new ones are appended. */
  cache?: KvCache;
  /** Matrices that are laid out for decoding, by name; see `packParameters`. */
  packed?: PackedParameters;
  /** [4] int32 (seed low, seed high, step, micro-step): dropout is on when it is given. */
  dropoutKey?: tf.Tensor1D;
  /**
   * Uniform noise on the embedding of each token, up to `scale` [B, T] float32 in size; `key` as dropout's.
   * Source: Jain et al. 2023 (NEFTune), Algorithm 1: scale = α/√(L·C), with L the tokens of the token's sequence.
   */
  embeddingNoise?: { key: tf.Tensor1D; scale: tf.Tensor2D };
  /**
   * [B, T] int32: 0 or more at the tokens whose hidden state is asked for, -1 elsewhere; targets serve. Those of the others mean nothing, and nothing may
   * depend on them: of the last layer little more than their keys and values is computed.
   */
  wanted?: tf.Tensor2D;
}

/** The noise's site; those of dropout are the numbers from 0. */
const NOISE_SITE = 0x4e454654;

/**
 * The Transformer's body: ids to hidden states after the last norm.
 * @returns [B, T, C]; rows of padding hold values that mean nothing.
 * Source: Radford et al. 2019 (gpt2); Touvron et al. 2023 (llama).
 */
export function forward(parameters: Parameters, config: ModelConfig, batch: Batch, options: ForwardOptions = {}): tf.Tensor3D {
  const family = config.architecture === 'llama' ? llama(parameters, config, options) : gpt2(parameters, config, options);
  const drop = <T extends tf.Tensor>(x: T, site: number): T =>
    options.dropoutKey && config.dropout > 0 ? (dropout(x, config.dropout, options.dropoutKey, site) as T) : x;

  const embed = (): Stream => [tf.tidy(() => drop(noised(family.embed(batch), options), 0))]; // [B, T, C]
  /** The layers from `first` up to `end`. */
  const through = (stream: Stream, first: number, end: number): Stream => {
    let [x, delta] = stream;
    for (let layer = first; layer < end; layer++) {
      const before = delta ? [x, delta] : [x];
      [x, delta] = tf.tidy(() => {
        const [x1, h1] = delta ? family.addNorm(x, delta, layer, 'attention') : [x, family.norm(x, layer)];
        const attended = drop(family.attend(h1, batch, layer), 1 + 2 * layer);
        const [x2, h2] = family.addNorm(x1, attended, layer, 'mlp');
        return [x2, drop(family.mlp(h2, layer), 2 + 2 * layer)];
      }) as tf.Tensor3D[];
      for (const tensor of before) tensor.dispose();
    }
    return delta ? [x, delta] : [x];
  };
  // The embedding and the lowest layers take no gradient while none of their parameters is trained.
  const frozen = frozenLayers(parameters, config);
  const start = frozen === undefined ? embed() : (withoutGradient(() => through(embed(), 0, frozen)) as Stream);
  const [x, delta] = through(start, frozen ?? 0, config.num_hidden_layers);
  if (options.cache) appended(options.cache, batch.ids.shape[1]);
  const hidden = tf.tidy(() => family.addNorm(x, delta!, config.num_hidden_layers, 'attention')[1]); // [B, T, C]
  x.dispose();
  delta!.dispose();
  return hidden;
}

/** The residual stream [B, T, C]; each branch's output waits until the next norm, which adds it to the stream and normalises in one pass. */
type Stream = [x: tf.Tensor3D] | [x: tf.Tensor3D, delta: tf.Tensor3D];

function noised(x: tf.Tensor3D, { embeddingNoise }: ForwardOptions): tf.Tensor3D {
  return embeddingNoise ? noise(x, embeddingNoise.scale, embeddingNoise.key, NOISE_SITE) : x;
}

/** How many of the lowest layers have frozen parameters only; undefined where the embedding is trained. */
function frozenLayers(parameters: Parameters, config: ModelConfig): number | undefined {
  let lowest = config.num_hidden_layers;
  for (const [name, parameter] of parameters) {
    if (isFrozen(parameter)) continue;
    const layer = /\.(?:layers|h)\.(\d+)\./.exec(name);
    if (layer) lowest = Math.min(lowest, Number(layer[1]));
    else if (/\.(embed_tokens|wte|wpe)\.weight$/.test(name)) return undefined;
  }
  return lowest;
}

/** The linear layer `name`: h [B, T, in] to [B, T, out]. */
type Project = (h: tf.Tensor3D, name: string, activation?: LinearActivation) => tf.Tensor3D;

function projection(parameters: Parameters, { packed }: ForwardOptions): Project {
  return (h, name, activation) => {
    const weights = packed?.get(`${name}.weight`);
    const bias = parameters.get(`${name}.bias`) as tf.Tensor1D | undefined;
    if (weights) return packedLinear(h, weights, bias, activation);
    return linear(h, parameters.get(`${name}.weight`)! as tf.Tensor as tf.Tensor2D, bias, activation);
  };
}

/** A linear layer behind whose result no other token looks: in the last layer, of the tokens that are wanted alone. */
function lastProjection(
  parameters: Parameters,
  config: ModelConfig,
  options: ForwardOptions,
): (h: tf.Tensor3D, name: string, layer: number) => tf.Tensor3D {
  const project = projection(parameters, options);
  const { wanted } = options;
  return (h, name, layer) => {
    if (!wanted || layer < config.num_hidden_layers - 1) return project(h, name);
    const bias = parameters.get(`${name}.bias`) as tf.Tensor1D | undefined;
    return linearOfSome(h, parameters.get(`${name}.weight`)! as tf.Tensor as tf.Tensor2D, wanted, bias);
  };
}

/** Where the two families differ. `layer` = number of layers names the last norm. */
interface Family {
  embed(batch: Batch): tf.Tensor3D;
  norm(x: tf.Tensor3D, layer: number): tf.Tensor3D;
  addNorm(x: tf.Tensor3D, delta: tf.Tensor3D, layer: number, before: 'attention' | 'mlp'): [tf.Tensor3D, tf.Tensor3D];
  attend(h: tf.Tensor3D, batch: Batch, layer: number): tf.Tensor3D;
  mlp(h: tf.Tensor3D, layer: number): tf.Tensor3D;
}

function llama(parameters: Parameters, config: ModelConfig, options: ForwardOptions): Family {
  const project = projection(parameters, options);
  const projectLast = lastProjection(parameters, config, options);
  const weight = (name: string) => parameters.get(`${name}.weight`)! as tf.Tensor;
  const shape = { heads: config.num_attention_heads, kvHeads: config.num_key_value_heads, mask: config.attention ?? 'causal' } as const;
  const normWeight = (layer: number, before: 'attention' | 'mlp') => {
    if (layer === config.num_hidden_layers) return weight('model.norm') as tf.Tensor1D;
    return weight(`model.layers.${layer}.${before === 'attention' ? 'input' : 'post_attention'}_layernorm`) as tf.Tensor1D;
  };
  const layerName = (layer: number, name: string) => `model.layers.${layer}.${name}`;
  return {
    embed: (batch) => embedding(batch.ids, weight('model.embed_tokens') as tf.Tensor2D),
    norm: (x, layer) => rmsNorm(x, normWeight(layer, 'attention'), config.rms_norm_eps),
    addNorm: (x, delta, layer, before) => addRmsNorm(x, delta, normWeight(layer, before), config.rms_norm_eps),
    attend(h, batch, layer) {
      const qkv = project(h, layerName(layer, 'self_attn.qkv_proj')); // [B, T, (H + 2·KV)·D]
      const rotated = rope(qkv, batch.positions, { ...shape, headSize: headSize(config), theta: config.rope_theta });
      return projectLast(attend(rotated, batch, layer, shape, options), layerName(layer, 'self_attn.o_proj'), layer); // [B, T, C]
    },
    mlp(h, layer) {
      const gateUp = projectLast(h, layerName(layer, 'mlp.gate_up_proj'), layer); // [B, T, 2·F]
      return projectLast(swiglu(gateUp), layerName(layer, 'mlp.down_proj'), layer); // [B, T, C]
    },
  };
}

function gpt2(parameters: Parameters, config: ModelConfig, options: ForwardOptions): Family {
  const project = projection(parameters, options);
  const projectLast = lastProjection(parameters, config, options);
  const weight = (name: string) => parameters.get(`${name}.weight`)! as tf.Tensor;
  const bias = (name: string) => parameters.get(`${name}.bias`) as tf.Tensor1D | undefined;
  const shape = { heads: config.num_attention_heads, kvHeads: config.num_attention_heads, mask: config.attention ?? 'causal' } as const;
  const normName = (layer: number, before: 'attention' | 'mlp') => {
    if (layer === config.num_hidden_layers) return 'transformer.ln_f';
    return `transformer.h.${layer}.${before === 'attention' ? 'ln_1' : 'ln_2'}`;
  };
  const eps = config.layer_norm_epsilon;
  return {
    embed: (batch) =>
      embedding(batch.ids, weight('transformer.wte') as tf.Tensor2D).add(
        embedding(batch.positions, weight('transformer.wpe') as tf.Tensor2D),
      ),
    norm(x, layer) {
      const name = normName(layer, 'attention');
      return layerNorm(x, weight(name) as tf.Tensor1D, bias(name), eps);
    },
    addNorm(x, delta, layer, before) {
      const name = normName(layer, before);
      return addLayerNorm(x, delta, weight(name) as tf.Tensor1D, bias(name), eps);
    },
    attend(h, batch, layer) {
      const name = `transformer.h.${layer}.attn`;
      const qkv = project(h, `${name}.c_attn`); // [B, T, 3·C]
      return projectLast(attend(qkv, batch, layer, shape, options), `${name}.c_proj`, layer); // [B, T, C]
    },
    mlp(h, layer) {
      const name = `transformer.h.${layer}.mlp`;
      const inner = project(h, `${name}.c_fc`, config.activation_function); // [B, T, F]
      return projectLast(inner, `${name}.c_proj`, layer); // [B, T, C]
    },
  };
}

function attend(qkv: tf.Tensor3D, batch: Batch, layer: number, shape: AttentionOptions, options: ForwardOptions): tf.Tensor3D {
  if (options.cache) return cachedAttention(qkv, options.cache, layer, shape);
  return attention(qkv, batch.segments, shape);
}
