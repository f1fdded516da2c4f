/** config.json, generation_config.json and the model card, as Python transformers reads and writes them. */
import type { ModelConfig } from '../model/config.js';
import { headSize } from '../model/config.js';
import { UserError } from '../util/errors.js';

/** Ids of special tokens; null (or negative) where the tokenizer has none. */
export interface SpecialIds {
  bos: number | null;
  eos: number | null;
  pad: number | null;
}

type Json = Record<string, unknown>;

const id = (value: number | null | undefined) => (value === null || value === undefined || value < 0 ? null : value);

/** The contents of config.json. What transformers has no field for stands under `fourfold`. */
export function configJson(config: ModelConfig, special: SpecialIds): Json {
  const common = {
    bos_token_id: id(special.bos),
    eos_token_id: id(special.eos),
    pad_token_id: id(special.pad),
    tie_word_embeddings: config.tie_word_embeddings,
    vocab_size: config.vocab_size,
    dtype: 'float32',
    torch_dtype: 'float32',
    use_cache: true,
  };
  const json = config.architecture === 'llama' ? { ...llamaJson(config), ...common } : { ...gpt2Json(config), ...common };
  return config.head === undefined && config.attention === undefined ? json : { ...json, ...scoringJson(config, json) };
}

/** Fields of a reward model. What transformers would load and read otherwise than it was meant is of a type that it does not know. */
function scoringJson(config: ModelConfig, json: Json): Json {
  const { architecture, head, attention, score_mean, score_std } = config;
  const own = { ...(json.fourfold as Json), ...defined({ head, attention, score_mean, score_std }) };
  const fields = { num_labels: 1, id2label: { '0': 'LABEL_0' }, label2id: { LABEL_0: 0 }, use_cache: false, fourfold: own };
  if (head === 'scalar' && attention === undefined) {
    return { ...fields, architectures: [architecture === 'llama' ? 'LlamaForSequenceClassification' : 'GPT2ForSequenceClassification'] };
  }
  return { ...fields, architectures: ['FourfoldModel'], model_type: 'fourfold', fourfold: { architecture, ...own } };
}

function defined(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function llamaJson(config: ModelConfig): Json {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    attention_bias: false,
    attention_dropout: 0,
    fourfold: { dropout: config.dropout },
    head_dim: headSize(config),
    hidden_act: 'silu',
    hidden_size: config.hidden_size,
    initializer_range: 0.02,
    intermediate_size: config.intermediate_size,
    max_position_embeddings: config.max_position_embeddings,
    mlp_bias: false,
    num_attention_heads: config.num_attention_heads,
    num_hidden_layers: config.num_hidden_layers,
    num_key_value_heads: config.num_key_value_heads,
    rms_norm_eps: config.rms_norm_eps,
    rope_parameters: { rope_theta: config.rope_theta, rope_type: 'default' },
    rope_scaling: null,
    rope_theta: config.rope_theta,
  };
}

function gpt2Json(config: ModelConfig): Json {
  return {
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    activation_function: config.activation_function,
    add_cross_attention: false,
    attn_pdrop: 0,
    embd_pdrop: config.dropout,
    fourfold: { bias: config.bias, dropout: config.dropout },
    initializer_range: 0.02,
    layer_norm_epsilon: config.layer_norm_epsilon,
    n_ctx: config.max_position_embeddings,
    n_embd: config.hidden_size,
    n_head: config.num_attention_heads,
    n_inner: config.intermediate_size,
    n_layer: config.num_hidden_layers,
    n_positions: config.max_position_embeddings,
    resid_pdrop: config.dropout,
    scale_attn_by_inverse_layer_idx: false,
    scale_attn_weights: true,
  };
}

/**
 * A model's configuration from config.json, ours or another tool's.
 * @throws UserError that lists every field that is missing or asks for what is not supported.
 */
export function parseConfigJson(json: unknown, origin = 'config.json'): ModelConfig {
  const fields = new Fields(json, origin);
  const own = fields.object('fourfold');
  const type = fields.raw('model_type') === 'fourfold' ? own['architecture'] : fields.raw('model_type');
  if (type !== 'llama' && type !== 'gpt2') {
    throw new UserError(`reading ${origin}: model_type must be llama or gpt2; it is ${JSON.stringify(type)}`);
  }
  const config = type === 'llama' ? llamaConfig(fields) : gpt2Config(fields);
  for (const [part, whole] of [
    ['num_attention_heads', 'hidden_size'],
    ['num_key_value_heads', 'num_attention_heads'],
  ] as const) {
    if (config[whole] % config[part] !== 0) fields.problems.push(`${part} (${config[part]}) must divide ${whole} (${config[whole]})`);
  }
  const scoring = scoringOf(fields, own);
  if (fields.problems.length > 0) throw new UserError(`reading ${origin}: this model cannot be loaded:\n  ${fields.problems.join('\n  ')}`);
  return { ...config, ...scoring };
}

/** What makes a model a reward model; nothing for a language model. */
function scoringOf(fields: Fields, own: Json): Partial<ModelConfig> {
  const [named] = (fields.raw('architectures') as unknown[] | undefined) ?? [];
  const head = own['head'] ?? (/ForSequenceClassification$/.test(String(named)) ? 'scalar' : undefined);
  if (head === undefined) return {};
  if (head !== 'scalar' && head !== 'pair') fields.problems.push(`fourfold.head must be scalar or pair; it is ${JSON.stringify(head)}`);
  const labels = Object.keys(fields.object('id2label')).length || fields.count('num_labels', 2);
  if (labels !== 1) fields.problems.push(`num_labels must be 1: a score is one number; it is ${labels}`);
  const numbers = ['score_mean', 'score_std'].filter((name) => typeof own[name] === 'number').map((name) => [name, own[name]]);
  return {
    head: head as ModelConfig['head'],
    ...(own['attention'] === 'bidirectional' && { attention: 'bidirectional' }),
    ...Object.fromEntries(numbers),
  };
}

function llamaConfig(fields: Fields): ModelConfig {
  const rope = { ...fields.object('rope_scaling'), ...fields.object('rope_parameters') };
  const ropeType = rope['rope_type'] ?? rope['type'] ?? 'default';
  if (ropeType !== 'default') fields.problems.push(`rope_type must be default (no scaling); it is ${JSON.stringify(ropeType)}`);
  fields.mustBe('hidden_act', ['silu', 'swish', undefined]);
  fields.mustBe('attention_bias', [false, undefined]);
  fields.mustBe('mlp_bias', [false, undefined]);
  fields.mustBe('sliding_window', [null, undefined]);
  fields.mustBe('quantization_config', [null, undefined]);
  fields.mustBe('partial_rotary_factor', [1, null, undefined]);
  const heads = fields.count('num_attention_heads');
  const hiddenSize = fields.count('hidden_size');
  fields.mustBe('head_dim', [hiddenSize / heads, null, undefined]);
  return {
    architecture: 'llama',
    vocab_size: fields.count('vocab_size'),
    hidden_size: hiddenSize,
    num_hidden_layers: fields.count('num_hidden_layers'),
    num_attention_heads: heads,
    num_key_value_heads: fields.count('num_key_value_heads', heads),
    intermediate_size: fields.count('intermediate_size'),
    max_position_embeddings: fields.count('max_position_embeddings', 2048),
    tie_word_embeddings: fields.flag('tie_word_embeddings', false),
    dropout: fields.own('dropout', 0),
    rope_theta: typeof rope['rope_theta'] === 'number' ? rope['rope_theta'] : fields.number('rope_theta', 10000),
    rms_norm_eps: fields.number('rms_norm_eps', 1e-6),
    layer_norm_epsilon: 1e-5,
    bias: false,
    activation_function: 'gelu_new',
  };
}

function gpt2Config(fields: Fields): ModelConfig {
  fields.mustBe('activation_function', ['gelu_new', 'gelu_pytorch_tanh', 'gelu', undefined]);
  fields.mustBe('scale_attn_weights', [true, undefined]);
  fields.mustBe('scale_attn_by_inverse_layer_idx', [false, undefined]);
  fields.mustBe('add_cross_attention', [false, undefined]);
  fields.mustBe('quantization_config', [null, undefined]);
  const hiddenSize = fields.count('n_embd', 768);
  const heads = fields.count('n_head', 12);
  return {
    architecture: 'gpt2',
    vocab_size: fields.count('vocab_size', 50257),
    hidden_size: hiddenSize,
    num_hidden_layers: fields.count('n_layer', 12),
    num_attention_heads: heads,
    num_key_value_heads: heads,
    intermediate_size: fields.count('n_inner', 4 * hiddenSize),
    max_position_embeddings: fields.count('n_positions', 1024),
    tie_word_embeddings: fields.flag('tie_word_embeddings', true),
    dropout: fields.own('dropout', fields.number('resid_pdrop', 0.1)),
    rope_theta: 10000,
    rms_norm_eps: 1e-5,
    layer_norm_epsilon: fields.number('layer_norm_epsilon', 1e-5),
    bias: fields.own('bias', true),
    activation_function: fields.raw('activation_function') === 'gelu' ? 'gelu' : 'gelu_new',
  };
}

/** The fields of a config.json, collecting what is wrong with them. A fallback stands for an absent field or null. */
class Fields {
  readonly problems: string[] = [];
  private readonly json: Json;

  constructor(json: unknown, origin: string) {
    if (!isObject(json)) throw new UserError(`reading ${origin}: it must hold a JSON object`);
    this.json = json;
  }

  raw(name: string): unknown {
    return this.json[name];
  }

  object(name: string): Json {
    const value = this.json[name];
    return isObject(value) ? value : {};
  }

  count(name: string, fallback?: number): number {
    const value = this.json[name] ?? fallback;
    if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
    this.problems.push(value === undefined ? `${name} is missing` : `${name} must be a positive integer; it is ${JSON.stringify(value)}`);
    return 1;
  }

  number(name: string, fallback: number): number {
    const value = this.json[name] ?? fallback;
    if (typeof value === 'number') return value;
    this.problems.push(`${name} must be a number; it is ${JSON.stringify(value)}`);
    return fallback;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.json[name] ?? fallback;
    if (typeof value === 'boolean') return value;
    this.problems.push(`${name} must be true or false; it is ${JSON.stringify(value)}`);
    return fallback;
  }

  /** A field of the block `fourfold`. */
  own<T extends number | boolean>(name: string, fallback: T): T {
    const value = this.object('fourfold')[name];
    return typeof value === typeof fallback ? (value as T) : fallback;
  }

  mustBe(name: string, allowed: unknown[]): void {
    const value = this.json[name];
    if (allowed.includes(value)) return;
    const values = allowed.filter((v) => v !== undefined).map((v) => JSON.stringify(v));
    this.problems.push(`${name} must be ${values.join(' or ')}; it is ${JSON.stringify(value)}`);
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The contents of generation_config.json: what transformers' `generate` does with this model unless told otherwise. */
export function generationConfig(special: SpecialIds): Json {
  const ids = { bos_token_id: id(special.bos), eos_token_id: id(special.eos), pad_token_id: id(special.pad) };
  return {
    ...Object.fromEntries(Object.entries(ids).filter(([, value]) => value !== null)),
    do_sample: true,
    temperature: 0.8,
    top_p: 0.95,
  };
}

export interface ModelCard {
  name: string;
  /** What made it: pretrain, sft, … */
  stage: string;
  config: ModelConfig;
  parameters: number;
  /** Name of the training data (no path). */
  data: string;
  steps: number;
  tokens: number;
  metrics: Readonly<Record<string, number>>;
}

/** The contents of README.md. Nothing in it depends on when or where the run took place. */
export function modelCard(card: ModelCard): string {
  const { config } = card;
  const shape = `${config.num_hidden_layers} layers, ${config.hidden_size} wide, ${config.num_attention_heads} heads (${config.num_key_value_heads} for keys and values), context ${config.max_position_embeddings}, vocabulary ${config.vocab_size}`;
  const metrics = Object.entries(card.metrics).map(([name, value]) => `| ${name} | ${Number(value.toPrecision(6))} |`);
  const { what, pipeline, load } = kindOf(config);
  return `---
library_name: ${load === undefined ? 'fourfold' : 'transformers'}
pipeline_tag: ${pipeline}
tags:
- fourfold
- ${config.architecture}
- ${card.stage}
---

# ${card.name}

${what} trained with fourfold (stage: ${card.stage}).

| | |
| --- | --- |
| architecture | ${config.architecture}: ${shape} |
| parameters | ${card.parameters} |
| training data | ${card.data} |
| steps | ${card.steps} |
| tokens seen | ${card.tokens} |
${metrics.join('\n')}${metrics.length > 0 ? '\n' : ''}${load === undefined ? '' : pythonExample(load)}`;
}

/** What a model is in words, to the Hub, and the class of transformers that loads it, if one does. */
function kindOf({ head, attention }: ModelConfig): { what: string; pipeline: string; load?: string } {
  if (head === undefined) return { what: 'A language model', pipeline: 'text-generation', load: 'AutoModelForCausalLM' };
  const what =
    head === 'scalar' ? 'A reward model: the score of a text is that of its last token,' : 'A model that tells the better of two answers,';
  const known = head === 'scalar' && attention === undefined;
  return { what, pipeline: 'text-classification', ...(known && { load: 'AutoModelForSequenceClassification' }) };
}

function pythonExample(load: string): string {
  return `
\`\`\`python
from transformers import ${load}, AutoTokenizer

model = ${load}.from_pretrained("PATH")
tokenizer = AutoTokenizer.from_pretrained("PATH")
\`\`\`
`;
}
