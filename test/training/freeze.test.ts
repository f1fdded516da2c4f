import assert from 'node:assert/strict';
import { type ModelConfig, parameterShapes } from '../../model/config.js';
import { frozenParameters } from '../../training/freeze.js';
import { tinyConfig } from '../checkpoints/helpers.js';

const LLAMA: ModelConfig = { ...tinyConfig, num_hidden_layers: 2 };
const GPT2: ModelConfig = { ...LLAMA, architecture: 'gpt2', num_key_value_heads: 2, bias: true };

describe('freezing by name', () => {
  const refused = (config: ModelConfig, patterns: string[], message: RegExp) =>
    assert.throws(() => frozenParameters(config, patterns), { name: 'UserError', message });

  it('takes names on disk, with * for anything, and gives names in memory', () => {
    const layer = [...parameterShapes(LLAMA).keys()].filter((name) => name.startsWith('model.layers.0.'));
    assert.deepEqual([...frozenParameters(LLAMA, ['model.layers.0.*'])], layer);
    assert.deepEqual([...frozenParameters(LLAMA, ['*embed_tokens*'])], ['model.embed_tokens.weight']);
    assert.deepEqual([...frozenParameters(LLAMA, ['model.norm.weight'])], ['model.norm.weight']);
    assert.deepEqual([...frozenParameters(GPT2, ['transformer.h.*.ln_1.bias', 'transformer.wpe.*'])].sort(), [
      'transformer.h.0.ln_1.bias',
      'transformer.h.1.ln_1.bias',
      'transformer.wpe.weight',
    ]);
    assert.deepEqual([...frozenParameters(LLAMA, [])], []);
  });

  it('freezes a fused matrix when all of its parts are named, by one pattern or by several', () => {
    const qkv = 'model.layers.1.self_attn.qkv_proj.weight';
    assert.deepEqual([...frozenParameters(LLAMA, ['model.layers.1.self_attn.*'])], [qkv, 'model.layers.1.self_attn.o_proj.weight']);
    const each = ['q', 'k', 'v'].map((letter) => `model.layers.1.self_attn.${letter}_proj.weight`);
    assert.deepEqual([...frozenParameters(LLAMA, each)], [qkv]);
    assert.deepEqual(
      [...frozenParameters(LLAMA, ['*.1.mlp.*'])],
      ['gate_up_proj', 'down_proj'].map((n) => `model.layers.1.mlp.${n}.weight`),
    );
  });

  it('refuses a part of a fused matrix, and names its parts', () => {
    refused(
      LLAMA,
      ['*.0.*q_proj*', '*.0.*v_proj*'],
      /layers\.0\.self_attn\.q_proj\.weight, \S+k_proj\.weight, \S+v_proj\.weight are one matrix .* Name model\.layers\.0\.self_attn\.k_proj\.weight, too/,
    );
    refused(LLAMA, ['*up_proj*'], /gate_proj\.weight, \S+up_proj\.weight are one matrix/);
  });

  it('refuses a pattern that names nothing, with what was probably meant', () => {
    refused(LLAMA, ['model.layer.0.*'], /model\.layer\.0\.\* names none\. Did you mean model\.layers\.0\.\*\?/);
    refused(LLAMA, ['*embed_token_s*'], /Did you mean \*embed_tokens\*\?/);
    refused(LLAMA, ['model.embed_tokens'], /Did you mean model\.embed_tokens\.\*\?/);
    refused(LLAMA, ['model.layers.0.self_attn.qkv_proj.weight'], /Did you mean model\.layers\.0\.self_attn\.[qkv]_proj\.weight\?/);
    refused(LLAMA, ['something else entirely'], /names none\. The tensors are model\.embed_tokens\.weight, /);
    refused(LLAMA, ['lm_head.weight'], /The output table is tied: it is model\.embed_tokens\.weight/);
    refused({ ...GPT2, bias: false }, ['*.ln_1.bias'], /names none/);
  });

  it('refuses to freeze everything', () => {
    refused(LLAMA, ['*'], /a parameter must be left to train; \* freeze all 20 tensors/);
  });
});
