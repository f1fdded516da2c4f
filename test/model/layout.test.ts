import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type ModelConfig, parameterShapes } from '../../model/config.js';
import { fromDisk, toDisk } from '../../model/layout.js';
import { RandomStream } from '../../util/random.js';

const base: ModelConfig = {
  architecture: 'llama',
  vocab_size: 7,
  hidden_size: 4,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 3,
  max_position_embeddings: 5,
  tie_word_embeddings: true,
  dropout: 0,
  rope_theta: 10000,
  rms_norm_eps: 1e-5,
  layer_norm_epsilon: 1e-5,
  bias: true,
  activation_function: 'gelu_new',
};

function randomParameters(config: ModelConfig): Map<string, Float32Array> {
  const random = new RandomStream(1, 0);
  return new Map(
    [...parameterShapes(config)].map(([name, shape]) => [
      name,
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    ]),
  );
}

async function disk(config: ModelConfig, parameters: Map<string, Float32Array>) {
  const tensors = new Map<string, { shape: number[]; data: Float32Array }>();
  for (const { name, shape, data } of toDisk(config, (parameter) => parameters.get(parameter)!))
    tensors.set(name, { shape, data: await data() });
  return tensors;
}

describe('the layout of parameters on disk', () => {
  it('gives every parameter back, for both architectures, tied or not, with biases or not', async () => {
    const variants = fc.record({
      architecture: fc.constantFrom('llama' as const, 'gpt2' as const),
      tie_word_embeddings: fc.boolean(),
      bias: fc.boolean(),
      num_hidden_layers: fc.integer({ min: 0, max: 2 }),
      num_key_value_heads: fc.constantFrom(1, 2),
    });
    await fc.assert(
      fc.asyncProperty(variants, async (variant) => {
        const config = { ...base, ...variant };
        const parameters = randomParameters(config);
        assert.deepEqual([...fromDisk(config, await disk(config, parameters))], [...parameters]);
      }),
      { numRuns: 40 },
    );
  });

  it('splits q, k, v and gate, up of llama into the names and shapes of Hugging Face', async () => {
    const parameters = randomParameters(base);
    const tensors = await disk(base, parameters);
    const layer = 'model.layers.1';
    const qkv = parameters.get(`${layer}.self_attn.qkv_proj.weight`)!; // [4 + 2 + 2, 4]
    assert.deepEqual(tensors.get(`${layer}.self_attn.q_proj.weight`), { shape: [4, 4], data: qkv.slice(0, 16) });
    assert.deepEqual(tensors.get(`${layer}.self_attn.k_proj.weight`), { shape: [2, 4], data: qkv.slice(16, 24) });
    assert.deepEqual(tensors.get(`${layer}.self_attn.v_proj.weight`), { shape: [2, 4], data: qkv.slice(24, 32) });
    const gateUp = parameters.get(`${layer}.mlp.gate_up_proj.weight`)!; // [2 · 3, 4]
    assert.deepEqual(tensors.get(`${layer}.mlp.up_proj.weight`), { shape: [3, 4], data: gateUp.slice(12) });
    assert.equal(tensors.has('lm_head.weight'), false);
  });

  it("transposes GPT-2's Conv1D matrices and writes zeros for biases that the model does not have", async () => {
    const config: ModelConfig = { ...base, architecture: 'gpt2', num_key_value_heads: 2, bias: false };
    const parameters = randomParameters(config);
    const tensors = await disk(config, parameters);
    const memory = parameters.get('transformer.h.0.mlp.c_fc.weight')!; // [3, 4]
    const { shape, data } = tensors.get('transformer.h.0.mlp.c_fc.weight')!; // [4, 3]
    assert.deepEqual(shape, [4, 3]);
    for (let row = 0; row < 4; row++)
      for (let column = 0; column < 3; column++) assert.equal(data[row * 3 + column], memory[column * 4 + row]);
    assert.deepEqual(tensors.get('transformer.h.0.attn.c_attn.bias'), { shape: [12], data: new Float32Array(12) });
    assert.deepEqual(tensors.get('transformer.ln_f.bias'), { shape: [4], data: new Float32Array(4) });
    assert.deepEqual(tensors.get('transformer.wpe.weight')!.shape, [5, 4]);
  });

  it('reads a fused parameter once for the tensors that come of it', async () => {
    const parameters = randomParameters(base);
    const reads: string[] = [];
    for (const tensor of toDisk(base, (name) => {
      reads.push(name);
      return parameters.get(name)!;
    })) {
      await tensor.data();
    }
    assert.deepEqual(reads, [...parameters.keys()]);
  });

  it('lists every missing, unexpected and misshapen tensor at once', async () => {
    const tensors = await disk(base, randomParameters(base));
    tensors.delete('model.norm.weight');
    tensors.set('model.embed_tokens.weight', { shape: [4, 7], data: new Float32Array(28) });
    tensors.set('model.layers.2.mlp.down_proj.weight', { shape: [1], data: new Float32Array(1) });
    assert.throws(() => fromDisk(base, tensors), {
      name: 'UserError',
      message:
        'loading weights: the tensors do not fit the llama configuration:\n' +
        '  model.embed_tokens.weight is [4, 7], expected [7, 4]\n  missing model.norm.weight [4]\n  unexpected model.layers.2.mlp.down_proj.weight',
    });
  });

  it('refuses biases that are not zero when the configuration has none', async () => {
    const config: ModelConfig = { ...base, architecture: 'gpt2', num_key_value_heads: 2 };
    const tensors = await disk(config, randomParameters(config));
    assert.throws(() => fromDisk({ ...config, bias: false }, tensors), /transformer\.h\.0\.ln_1\.bias is not zero.*bias: false/);
  });

  it('reads what older files hold: GPT-2 names without prefix, stored masks, a copy of the tied table', async () => {
    const config: ModelConfig = { ...base, architecture: 'gpt2', num_key_value_heads: 2 };
    const parameters = randomParameters(config);
    const old = new Map([...(await disk(config, parameters))].map(([name, tensor]) => [name.replace('transformer.', ''), tensor]));
    old.set('h.0.attn.bias', { shape: [1, 1, 5, 5], data: new Float32Array(25) });
    old.set('lm_head.weight', old.get('wte.weight')!);
    assert.deepEqual([...fromDisk(config, old)], [...parameters]);
    old.set('lm_head.weight', { shape: [7, 4], data: new Float32Array(28) });
    assert.throws(() => fromDisk(config, old), /unexpected lm_head\.weight/);
  });
});
