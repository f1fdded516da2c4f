/**
 * Parameters as they lie in memory (`parameterShapes`) and as Hugging Face files hold them.
 * In memory q, k and v are one matrix, gate and up another, and every matrix is [out, in]. On disk llama's are apart, GPT-2's Conv1D matrices
 * are [in, out], GPT-2's biases are always there (zeros), and a tied output table is not written.
 */
import { UserError } from '../util/errors.js';
import { headSize, type ModelConfig, parameterShapes } from './config.js';

/** A tensor to be written; `data` is asked for when its turn comes, so that one is in memory at a time. */
export interface DiskTensor {
  name: string;
  shape: number[];
  data: () => Promise<Float32Array>;
}

/** One tensor on disk and the stretch of a parameter in memory that it is; without `parameter` it is zeros. */
interface Part {
  name: string;
  shape: number[];
  parameter?: string;
  offset: number;
  transposed: boolean;
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** The tensors of a model's `model.safetensors`, taken from its parameters by their names in memory. */
export function toDisk(config: ModelConfig, parameter: (name: string) => Float32Array | Promise<Float32Array>): DiskTensor[] {
  let recent: { name: string; data: Float32Array } | undefined; // q, k and v come from one read
  const read = async (name: string) => {
    if (recent?.name !== name) recent = { name, data: await parameter(name) };
    return recent.data;
  };
  return parts(config).map((part) => ({
    name: part.name,
    shape: part.shape,
    data: async () => {
      if (!part.parameter) return new Float32Array(size(part.shape));
      const slice = (await read(part.parameter)).subarray(part.offset, part.offset + size(part.shape));
      return part.transposed ? transpose(slice, part.shape[1], part.shape[0]) : slice;
    },
  }));
}

/**
 * The parameters in memory order, from the tensors of a checkpoint.
 * @throws UserError that lists every tensor that is missing, unexpected or misshapen.
 */
export function fromDisk(
  config: ModelConfig,
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>,
): Map<string, Float32Array> {
  const found = withoutExtras(config, tensors);
  const problems: string[] = [];
  const parameters = new Map([...parameterShapes(config)].map(([name, shape]) => [name, new Float32Array(size(shape))]));
  for (const part of parts(config)) {
    const tensor = found.get(part.name);
    found.delete(part.name);
    if (!tensor) {
      if (part.parameter) problems.push(`missing ${part.name} [${part.shape.join(', ')}]`);
    } else if (tensor.shape.join() !== part.shape.join()) {
      problems.push(`${part.name} is [${tensor.shape.join(', ')}], expected [${part.shape.join(', ')}]`);
    } else if (part.parameter) {
      const { data } = tensor;
      parameters.get(part.parameter)!.set(part.transposed ? transpose(data, part.shape[0], part.shape[1]) : data, part.offset);
    } else if (tensor.data.some((value) => value !== 0)) {
      problems.push(`${part.name} is not zero, but the configuration says bias: false`);
    }
  }
  for (const name of found.keys()) problems.push(`unexpected ${name}`);
  if (problems.length > 0) {
    const shown = problems.slice(0, 20).join('\n  ');
    const rest = problems.length > 20 ? `\n  and ${problems.length - 20} more` : '';
    throw new UserError(`loading weights: the tensors do not fit the ${config.architecture} configuration:\n  ${shown}${rest}`);
  }
  return parameters;
}

/** Name in memory → the names on disk of what it is made of: of one parameter several where it is a fused matrix. */
export function diskNames(config: ModelConfig): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const { name, parameter } of parts(config)) {
    if (parameter !== undefined) names.set(parameter, [...(names.get(parameter) ?? []), name]);
  }
  return names;
}

/** Renames and drops what older files hold: names without GPT-2's prefix, stored masks and frequencies, an output table that equals the tied one. */
function withoutExtras<T extends { data: Float32Array }>(config: ModelConfig, tensors: ReadonlyMap<string, T>): Map<string, T> {
  const prefix = config.architecture === 'gpt2' && tensors.has('wte.weight') ? 'transformer.' : '';
  const table = config.architecture === 'gpt2' ? 'transformer.wte.weight' : 'model.embed_tokens.weight';
  const kept = new Map<string, T>();
  for (const [name, tensor] of tensors) {
    if (/\.attn\.(masked_)?bias$|^h\.\d+\.attn\.(masked_)?bias$|\.rotary_emb\.inv_freq$/.test(name)) continue;
    kept.set(name === 'lm_head.weight' ? name : prefix + name, tensor);
  }
  const head = kept.get('lm_head.weight');
  if (config.tie_word_embeddings && head && equal(head.data, kept.get(table)?.data)) kept.delete('lm_head.weight');
  return kept;
}

function equal(a: Float32Array, b: Float32Array | undefined): boolean {
  return a.length === b?.length && a.every((value, i) => value === b[i]);
}

function parts(config: ModelConfig): Part[] {
  const all: Part[] = [];
  for (const [name, shape] of parameterShapes(config)) {
    all.push(...(config.architecture === 'llama' ? llamaParts(config, name, shape) : gpt2Parts(config, name, shape)));
  }
  return all;
}

function llamaParts(config: ModelConfig, parameter: string, shape: number[]): Part[] {
  const split = (fused: string, names: string[], rows: number[]): Part[] => {
    let offset = 0;
    return names.map((name, i) => {
      const part = { name: parameter.replace(fused, name), shape: [rows[i], shape[1]], parameter, offset, transposed: false };
      offset += size(part.shape);
      return part;
    });
  };
  if (parameter.endsWith('.qkv_proj.weight')) {
    const shared = config.num_key_value_heads * headSize(config);
    return split('qkv_proj', ['q_proj', 'k_proj', 'v_proj'], [config.hidden_size, shared, shared]);
  }
  if (parameter.endsWith('.gate_up_proj.weight')) {
    return split('gate_up_proj', ['gate_proj', 'up_proj'], [config.intermediate_size, config.intermediate_size]);
  }
  return [{ name: parameter, shape, parameter, offset: 0, transposed: false }];
}

function gpt2Parts(config: ModelConfig, parameter: string, shape: number[]): Part[] {
  const convolution = /\.(c_attn|c_proj|c_fc)\.weight$/.test(parameter); // GPT-2's Conv1D
  const weight = { name: parameter, shape: convolution ? [shape[1], shape[0]] : shape, parameter, offset: 0, transposed: convolution };
  const biased = convolution || /\.ln_\w+\.weight$/.test(parameter);
  if (config.bias || !biased) return [weight];
  return [weight, { name: parameter.replace(/weight$/, 'bias'), shape: [shape[0]], offset: 0, transposed: false }];
}

/** [rows, columns] → [columns, rows]. */
function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = data[row * columns + column];
  }
  return result;
}
