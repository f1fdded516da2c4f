/** The shape of a Transformer. Field names are those of Hugging Face's config.json, so that a reader of either knows the other. */
export interface ModelConfig {
  /** `llama`: RMSNorm, RoPE, SwiGLU, no biases. `gpt2`: LayerNorm, learned positions, GELU, optional biases. */
  architecture: 'llama' | 'gpt2';
  vocab_size: number;
  hidden_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  /** Fewer than `num_attention_heads` is grouped-query attention; gpt2 has as many. */
  num_key_value_heads: number;
  intermediate_size: number;
  /** The longest context, in tokens. */
  max_position_embeddings: number;
  tie_word_embeddings: boolean;
  /** Probability of dropping, on the embedding and on the output of each residual branch. */
  dropout: number;
  /** llama only. */
  rope_theta: number;
  /** llama only. */
  rms_norm_eps: number;
  /** gpt2 only. */
  layer_norm_epsilon: number;
  /** gpt2 only: biases in linear layers and norms. On disk they are always written (zeros). */
  bias: boolean;
  /** gpt2 only: `gelu` is the exact one (erf), `gelu_new` the tanh approximation that GPT-2 was trained with. */
  activation_function: 'gelu' | 'gelu_new';
  /**
   * Absent: a language model, logits over the vocabulary. `scalar`: one number for a text, that of its last token (a reward model). `pair`: the same for
   * a text that holds two answers, and the number is the log-odds that the first is the better one.
   */
  head?: 'scalar' | 'pair';
  /** Absent: causal. `bidirectional`: each token sees its whole segment. */
  attention?: 'bidirectional';
  /** Of a reward model: mean and standard deviation of its scores of reference answers. Scores stay raw; who wants them normalised subtracts and divides. */
  score_mean?: number;
  score_std?: number;
}

/** Width of one attention head. */
export function headSize(config: ModelConfig): number {
  return config.hidden_size / config.num_attention_heads;
}

/** Name and shape of every parameter as it lies in memory, in order: q, k and v are one matrix, gate and up another. Matrices are [out, in]. */
export function parameterShapes(config: ModelConfig): Map<string, number[]> {
  const shapes = config.architecture === 'llama' ? llamaShapes(config) : gpt2Shapes(config);
  if (config.head !== undefined) shapes.set(SCORE, [1, config.hidden_size]);
  else if (!config.tie_word_embeddings) shapes.set('lm_head.weight', [config.vocab_size, config.hidden_size]);
  return shapes;
}

/** Name of the row [1, C] that turns a hidden state into a score. */
export const SCORE = 'score.weight';

function llamaShapes(config: ModelConfig): Map<string, number[]> {
  const { hidden_size: C, intermediate_size: F, vocab_size: V } = config;
  const qkv = C + 2 * config.num_key_value_heads * headSize(config);
  const shapes = new Map<string, number[]>([['model.embed_tokens.weight', [V, C]]]);
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `model.layers.${i}`;
    shapes.set(`${layer}.input_layernorm.weight`, [C]);
    shapes.set(`${layer}.self_attn.qkv_proj.weight`, [qkv, C]);
    shapes.set(`${layer}.self_attn.o_proj.weight`, [C, C]);
    shapes.set(`${layer}.post_attention_layernorm.weight`, [C]);
    shapes.set(`${layer}.mlp.gate_up_proj.weight`, [2 * F, C]);
    shapes.set(`${layer}.mlp.down_proj.weight`, [C, F]);
  }
  shapes.set('model.norm.weight', [C]);
  return shapes;
}

function gpt2Shapes(config: ModelConfig): Map<string, number[]> {
  const { hidden_size: C, intermediate_size: F, vocab_size: V } = config;
  const shapes = new Map<string, number[]>([
    ['transformer.wte.weight', [V, C]],
    ['transformer.wpe.weight', [config.max_position_embeddings, C]],
  ]);
  const add = (name: string, weight: number[]) => {
    shapes.set(`${name}.weight`, weight);
    if (config.bias) shapes.set(`${name}.bias`, [weight[0]]);
  };
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `transformer.h.${i}`;
    add(`${layer}.ln_1`, [C]);
    add(`${layer}.attn.c_attn`, [3 * C, C]);
    add(`${layer}.attn.c_proj`, [C, C]);
    add(`${layer}.ln_2`, [C]);
    add(`${layer}.mlp.c_fc`, [F, C]);
    add(`${layer}.mlp.c_proj`, [C, F]);
  }
  add('transformer.ln_f', [C]);
  return shapes;
}

/** Name of the matrix [V, C] that turns hidden states into logits: the embedding's own table when they are tied. */
export function outputName(config: ModelConfig): string {
  if (!config.tie_word_embeddings) return 'lm_head.weight';
  return config.architecture === 'llama' ? 'model.embed_tokens.weight' : 'transformer.wte.weight';
}

/** The number of trained numbers; a tied table counts once. */
export function parameterCount(config: ModelConfig): number {
  let count = 0;
  for (const shape of parameterShapes(config).values()) count += shape.reduce((a, b) => a * b, 1);
  return count;
}

/**
 * Floating-point operations to train on one token of a context of `T`: forward and backward, 6 for each weight of a matrix that a token
 * is multiplied with (a table that is only looked up counts none), 12·L·C·T for attention over the whole square.
 * Source: Chowdhery et al. 2022 (PaLM), appendix B.
 */
export function flopsPerToken(config: ModelConfig, T: number): number {
  const { hidden_size: C, vocab_size: V } = config;
  let weights = config.tie_word_embeddings && config.head === undefined ? V * C : 0;
  for (const [name, shape] of parameterShapes(config)) {
    const lookedUp = /embed_tokens|wte|wpe/.test(name);
    if (shape.length === 2 && !lookedUp) weights += shape[0] * shape[1];
  }
  return 6 * weights + 12 * config.num_hidden_layers * C * T;
}
