import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  loadPretrainConfig,
  parsePpoConfig,
  parsePretrainConfig,
  parseRewardConfig,
  parseSftConfig,
  resolvedYaml,
  resolvePretrainConfig,
} from '../../configs/load.js';
import { presetNames, presetPath } from '../../configs/presets.js';
import { modelConfig, tokensPerStep } from '../../configs/schema.js';
import { parameterCount } from '../../model/config.js';
import { UserError } from '../../util/errors.js';
import { packageRoot } from '../../util/package-root.js';
import { rows } from './key-table.js';

const BASE = `model: { hidden_size: 128, num_hidden_layers: 4, num_attention_heads: 4 }
data: { path: corpus.txt }
max_steps: 2000
`;
const parse = (text: string, ...overrides: string[]) => parsePretrainConfig(text, 'c.yaml', overrides);

describe('a configuration', () => {
  it('fills in what is not given', () => {
    const config = parse(BASE);
    assert.deepEqual(config.tokenizer, { kind: 'bpe', vocab_size: 4096, min_frequency: 2, special_tokens: true });
    const { data, learning_rate, warmup_steps, sample_steps, sample_prompts } = config;
    assert.deepEqual(
      [data.document, data.split, data.eval_fraction, data.packing, data.sampling],
      ['file', 'tail', 0.1, 'concat', 'epoch'],
    );
    assert.deepEqual([learning_rate, warmup_steps, sample_steps, sample_prompts], [1e-3, 100, 250, ['']]);
    assert.equal(tokensPerStep(config), 8 * 256);
  });

  it('takes rows for documents where the file holds rows', () => {
    for (const file of ['corpus.jsonl', 'corpus.csv', 'corpus.jsonl.gz', 'corpus.parquet', 'corpus.arrow']) {
      const { document, split, columns } = parse(BASE, `data.path=${file}`).data;
      assert.deepEqual([document, split, columns], ['row', 'hash', { text: 'text' }], file);
    }
  });

  it('shortens the default warm-up of a short run', () => {
    assert.equal(parse(BASE, 'max_steps=50').warmup_steps, 5);
    assert.equal(parse(BASE, 'max_steps=null', 'max_tokens=20480').warmup_steps, 1);
    assert.equal(parse(BASE, 'max_steps=null', 'epochs=0.5').warmup_steps, 100);
  });

  it('gives the whole shape of the model once the vocabulary is known', () => {
    assert.deepEqual(modelConfig(parse(BASE), 4096), {
      architecture: 'llama',
      vocab_size: 4096,
      hidden_size: 128,
      num_hidden_layers: 4,
      num_attention_heads: 4,
      num_key_value_heads: 4,
      intermediate_size: 352,
      max_position_embeddings: 256,
      tie_word_embeddings: true,
      dropout: 0,
      rope_theta: 10000,
      rms_norm_eps: 1e-5,
      layer_norm_epsilon: 1e-5,
      bias: false,
      activation_function: 'gelu_new',
    });
    const gpt2 = modelConfig(parse(BASE, 'model.architecture=gpt2'), 65);
    assert.deepEqual([gpt2.intermediate_size, gpt2.bias], [512, true]);
  });

  it('continues a checkpoint with its shape, and only another dropout', () => {
    const base = modelConfig(parse(BASE), 4096);
    const config = parse('init_from: runs/a/final\nmodel: { dropout: 0.2 }\ndata: { path: corpus.txt }\nmax_steps: 10\n');
    assert.deepEqual(config.tokenizer, { path: 'runs/a/final' });
    assert.deepEqual(modelConfig(config, 4096, base), { ...base, dropout: 0.2 });
    assert.throws(
      () => modelConfig({ ...config, context_length: 512 }, 4096, base),
      /max_position_embeddings, 256; received 512; lower context_length/,
    );
  });

  it('is the same from an object as from YAML', () => {
    const model = { hidden_size: 128, num_hidden_layers: 4, num_attention_heads: 4 };
    assert.deepEqual(resolvePretrainConfig({ model, data: { path: 'corpus.txt' }, max_steps: 2000 }), parse(BASE));
    assert.throws(
      () => resolvePretrainConfig({ model, data: { path: 'corpus.txt' } }),
      /max_steps: one of max_steps, max_tokens and epochs/,
    );
  });

  it('written out in full reads back as itself', () => {
    const shapes = [
      ['model.architecture=llama', 'model.num_key_value_heads=2', 'model.rope_theta=500'],
      ['model.architecture=gpt2', 'model.bias=false', 'model.activation_function=gelu'],
    ];
    const texts = [
      ['data.path=a.txt'],
      ['data.path=a.jsonl', 'data.columns.text=body'],
      ['data.path=a.txt', 'data.document=line'],
      ['data.path=a.arrow', 'data.mixture={ web/en: 2, b-c: 0 }', 'data.mixture.b-c=0.5'],
    ];
    const lengths = [[], ['max_steps=null', 'epochs=1.5'], ['max_steps=null', 'max_tokens=1e6']];
    const tokenizers = [['tokenizer.kind=char', 'tokenizer.special_tokens=false'], ['tokenizer.path=t.json'], ['tokenizer.kind=word']];
    const schedules = ['cosine', 'linear', 'wsd', 'constant'].map((name) => [`lr_scheduler_type=${name}`]);
    const parts = [shapes, texts, lengths, tokenizers, schedules].map((choices) => fc.constantFrom(...choices));
    fc.assert(
      fc.property(fc.tuple(...parts), fc.array(fc.string()), (chosen, prompts) => {
        const given = prompts.map((prompt) => prompt || 'a');
        const config = parse(BASE, ...chosen.flat(), `sample_prompts=${JSON.stringify(given)}`, 'threads=2');
        assert.deepEqual(parse(resolvedYaml(config)), config);
      }),
      { numRuns: 50 },
    );
    const continued = parse('init_from: runs/a\ndata: { path: a.txt }\nepochs: 1\n');
    assert.deepEqual(parse(resolvedYaml(continued)), continued);
  });
});

describe('an override', () => {
  it('is read as YAML: numbers, words, lists, sections', () => {
    const config = parse(
      BASE,
      'learning_rate=3e-4',
      'precision=bf16',
      'sample_prompts=["a=b", c]',
      'tokenizer={kind: char}',
      'model.bias=null',
    );
    assert.deepEqual([config.learning_rate, config.precision, config.sample_prompts], [3e-4, 'bf16', ['a=b', 'c']]);
    assert.deepEqual(config.tokenizer, { kind: 'char', special_tokens: true });
  });

  it('lies over the file, and a later one over an earlier one', () => {
    assert.equal(parse(`${BASE}seed: 1\n`, 'seed=2', 'seed=3').seed, 3);
    assert.equal(parse(BASE, 'model.hidden_size=64').model.hidden_size, 64);
  });

  it('of null takes a key back to its default', () => {
    assert.equal(parse(`${BASE}seed: 1\n`, 'seed=null').seed, 1337);
    assert.equal(parse(BASE, 'max_steps=', 'epochs=2').max_steps, undefined);
  });

  it('sets the weight of one source, whatever its name, and leaves the others', () => {
    const mixed = BASE.replace('corpus.txt', 'corpus.txt, mixture: { wiki: 1, code/c-sharp: 3 }');
    assert.deepEqual(parse(mixed, 'data.mixture.code/c-sharp=0.5').data.mixture, { wiki: 1, 'code/c-sharp': 0.5 });
    assert.equal(parse(mixed, 'data.mixture=null').data.mixture, undefined);
    const wrong = (override: string, message: RegExp) => assert.throws(() => parse(mixed, override), message);
    wrong('data.mixture.wiki=-1', /data\.mixture\.wiki: must be a number, 0 or more; received -1; for example data\.mixture: /);
    wrong('data.mixture={ wiki: 0 }', /data\.mixture: must give a source a weight above 0/);
    wrong('data.mixture=wiki', /data\.mixture: must be a section of names, each with a weight; received "wiki"/);
  });

  it('can be the whole configuration', () => {
    const model = 'model={hidden_size: 64, num_hidden_layers: 1, num_attention_heads: 1}';
    assert.equal(parse('', model, 'data.path=a.txt', 'max_steps=1').model.intermediate_size, 192);
  });
});

describe('the reading of a configuration', () => {
  it('survives any text, and finds nothing worse than an error of its user', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab:-[]{}#&*!|>\'"%@`,? \n\t1~', 'model', 'seed: ', '\u2028') }), (text) => {
        assert.throws(() => parse(text), UserError);
      }),
      { numRuns: 300 },
    );
  });

  it('reads files with CRLF line ends and a byte order mark', () => {
    assert.deepEqual(parse(`\ufeff${BASE.replaceAll('\n', '\r\n')}`), parse(BASE));
  });

  it('names the run after the file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fourfold-'));
    try {
      const corpus = join(folder, 'corpus.txt');
      writeFileSync(corpus, 'text');
      writeFileSync(join(folder, 'small.yaml'), BASE.replace('corpus.txt', corpus));
      assert.equal((await loadPretrainConfig(join(folder, 'small.yaml'))).output_dir, 'runs/small');
      assert.equal((await loadPretrainConfig(join(folder, 'small.yaml'), ['output_dir=elsewhere'])).output_dir, 'elsewhere');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the ready configurations', () => {
  it('are correct, each by its name', () => {
    assert.ok(presetNames().length >= 3);
    for (const name of presetNames()) {
      const text = readFileSync(presetPath(name)!, 'utf8');
      if (/^stage: sft$/m.test(text)) parseSftConfig(text, name);
      else if (/^stage: ppo$/m.test(text)) parsePpoConfig(text, name);
      else if (/^stage: reward$/m.test(text)) parseRewardConfig(text, name);
      else parse(text);
    }
  });

  it('hold nanoGPT’s model of 0.80 M parameters', () => {
    const config = parse(readFileSync(presetPath('shakespeare-char')!, 'utf8'));
    const model = modelConfig(config, 65);
    assert.equal(parameterCount(model) - config.context_length * model.hidden_size, 795_904);
    assert.deepEqual([model.bias, model.activation_function, tokensPerStep(config)], [false, 'gelu', 768]);
  });
});

describe('docs/configuration.md', () => {
  it('has the row of every key, as the schema has it', () => {
    const lines = readFileSync(join(packageRoot(), 'docs', 'configuration.md'), 'utf8').split('\n');
    assert.deepEqual(
      lines.filter((line) => /^\| `/.test(line)),
      [...rows('pretrain'), ...rows('sft'), ...rows('reward'), ...rows('ppo')],
    );
  });
});
