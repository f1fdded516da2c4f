import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { configJson, generationConfig, modelCard, parseConfigJson } from '../../checkpoints/hugging-face.js';
import { loadCheckpoint } from '../../checkpoints/load.js';
import { readSafetensors } from '../../checkpoints/safetensors.js';
import { type ModelConfig, parameterCount, parameterShapes } from '../../model/config.js';
import { toDisk } from '../../model/layout.js';
import { tinyConfig } from './helpers.js';

const special = { bos: 0, eos: 1, pad: 2 };
const fixture = (name: string) => new URL(`../model/fixtures/${name}/`, import.meta.url).pathname;
const gpt2: ModelConfig = {
  ...tinyConfig,
  architecture: 'gpt2',
  num_key_value_heads: 2,
  intermediate_size: 12,
  activation_function: 'gelu',
  bias: true,
};

describe('config.json', () => {
  it('gives the configuration back, for both architectures', () => {
    const llama = { ...tinyConfig, rope_theta: 500, tie_word_embeddings: false };
    for (const config of [llama, gpt2, { ...gpt2, bias: false }, { ...gpt2, dropout: 0 }]) {
      assert.deepEqual(parseConfigJson(JSON.parse(JSON.stringify(configJson(config, special)))), config);
    }
  });

  it('carries what transformers and older tools look for', () => {
    const llama = configJson(tinyConfig, special);
    assert.equal(llama['rope_theta'], 10000);
    assert.deepEqual(llama['rope_parameters'], { rope_theta: 10000, rope_type: 'default' });
    assert.equal(llama['head_dim'], 2);
    assert.deepEqual([llama['bos_token_id'], llama['eos_token_id'], llama['pad_token_id']], [0, 1, 2]);
    assert.deepEqual(llama['architectures'], ['LlamaForCausalLM']);
    const json = configJson(gpt2, { bos: null, eos: -1, pad: null });
    assert.deepEqual([json['bos_token_id'], json['eos_token_id'], json['pad_token_id']], [null, null, null]);
    assert.deepEqual([json['activation_function'], json['n_inner'], json['attn_pdrop'], json['resid_pdrop']], ['gelu', 12, 0, 0.1]);
  });

  it('of transformers is understood', async () => {
    const read = async (name: string) => parseConfigJson(JSON.parse(await fs.readFile(`${fixture(name)}config.json`, 'utf8')));
    const llama = await read('hf-llama-tiny-untied');
    assert.deepEqual([llama.rope_theta, llama.rms_norm_eps, llama.tie_word_embeddings, llama.num_key_value_heads], [500, 1e-5, false, 4]);
    const model = await read('hf-gpt2-tiny');
    assert.deepEqual([model.intermediate_size, model.bias, model.dropout, model.activation_function], [128, true, 0.1, 'gelu_new']);
  });

  it('that asks for what is not supported is refused, everything at once', () => {
    const json = {
      ...configJson(tinyConfig, special),
      attention_bias: true,
      sliding_window: 4096,
      rope_parameters: { rope_type: 'llama3', rope_theta: 1e4, factor: 8 },
      head_dim: 64,
      hidden_act: 'gelu',
      num_key_value_heads: 3,
      intermediate_size: undefined,
    };
    assert.throws(() => parseConfigJson(json, 'x/config.json'), {
      name: 'UserError',
      message: `reading x/config.json: this model cannot be loaded:
  rope_type must be default (no scaling); it is "llama3"
  hidden_act must be "silu" or "swish"; it is "gelu"
  attention_bias must be false; it is true
  sliding_window must be null; it is 4096
  head_dim must be 2 or null; it is 64
  intermediate_size is missing
  num_key_value_heads (3) must divide num_attention_heads (2)`,
    });
    assert.throws(
      () => parseConfigJson({ ...configJson(tinyConfig, special), rope_scaling: { type: 'linear', factor: 2 }, rope_parameters: null }),
      /"linear"/,
    );
    assert.throws(() => parseConfigJson({ model_type: 'bert' }), /model_type must be llama or gpt2; it is "bert"/);
    assert.throws(() => parseConfigJson([]), /must hold a JSON object/);
    assert.throws(() => parseConfigJson({ ...configJson(gpt2, special), scale_attn_weights: false, activation_function: 'relu' }), {
      message: /activation_function must be "gelu_new" or .*; it is "relu"\n {2}scale_attn_weights must be true/,
    });
  });
});

describe('a checkpoint of transformers', () => {
  for (const name of ['hf-llama-tiny', 'hf-llama-tiny-untied', 'hf-gpt2-tiny', 'hf-gpt2-tiny-untied']) {
    it(`${name} loads, and its tensors are the same when laid out for disk again`, async () => {
      const { config, weights } = await loadCheckpoint(fixture(name));
      assert.deepEqual(
        [...weights].map(([key, data]) => [key, data.length]),
        [...parameterShapes(config)].map(([key, shape]) => [key, shape.reduce((a, b) => a * b, 1)]),
      );
      const stored = await readSafetensors(`${fixture(name)}model.safetensors`);
      const ours = toDisk(config, (key) => weights.get(key)!);
      assert.deepEqual(ours.map((tensor) => tensor.name).sort(), [...stored.keys()].sort());
      for (const tensor of ours) {
        assert.deepEqual(
          { shape: tensor.shape, data: await tensor.data() },
          { shape: stored.get(tensor.name)!.shape, data: stored.get(tensor.name)!.data },
        );
      }
    });
  }
});

describe('generation_config.json and the model card', () => {
  it('leave out ids that the tokenizer does not have', () => {
    assert.deepEqual(generationConfig({ bos: 3, eos: null, pad: -1 }), { bos_token_id: 3, do_sample: true, temperature: 0.8, top_p: 0.95 });
  });

  it('say what the model is and what it was trained on', () => {
    const card = modelCard({
      name: 'shakespeare',
      stage: 'pretrain',
      config: tinyConfig,
      parameters: parameterCount(tinyConfig),
      data: 'TinyShakespeare',
      steps: 2000,
      tokens: 1536000,
      metrics: { 'eval/loss': 1.87654321 },
    });
    assert.match(card, /^---\nlibrary_name: transformers\n/);
    assert.match(
      card,
      /\| training data \| TinyShakespeare \|\n\| steps \| 2000 \|\n\| tokens seen \| 1536000 \|\n\| eval\/loss \| 1\.87654 \|\n\n```python/,
    );
  });
});
