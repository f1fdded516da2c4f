import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { presetNames } from '../../configs/presets.js';
import { fourfold } from './capture.js';

const MODEL = 'model:\n  hidden_size: 128\n  num_hidden_layers: 4\n  num_attention_heads: 4\n';
const DATA = 'data:\n  path: corpus.txt\n';
const STEPS = 'max_steps: 2000\n';
const BASE = MODEL + DATA + STEPS; // 7 lines

const READY = `name a YAML file or a ready configuration: ${presetNames().join(', ')}`;

/** What is wrong; the file c.yaml; what is laid over it; the lines that a user should see after the headline. */
type Case = [title: string, yaml: string, overrides: string[], ...lines: string[]];

const configs: Case[] = [
  [
    'an unknown key near a known one',
    `${BASE}learning_rat: 1\n`,
    [],
    'c.yaml:8:1: learning_rat: there is no such key; received 1; did you mean learning_rate?',
  ],
  [
    'a key at the wrong level',
    `${BASE}dropout: 0.1\n`,
    [],
    'c.yaml:8:1: dropout: there is no such key; received 0.1; did you mean model.dropout?',
  ],
  [
    'a key under its name in nanoGPT',
    `${BASE}block_size: 64\n`,
    [],
    'c.yaml:8:1: block_size: there is no such key; received 64; did you mean context_length?',
  ],
  [
    'an unknown key far from all',
    `${BASE}zebra: 1\n`,
    [],
    'c.yaml:8:1: zebra: there is no such key; received 1; see docs/configuration.md',
  ],
  [
    'an unknown key in a section',
    `${BASE}tokenizer:\n  zebra: 1\n`,
    [],
    'c.yaml:9:3: tokenizer.zebra: there is no such key; received 1; the keys of tokenizer are kind, vocab_size, min_frequency, max_token_bytes, special_tokens, path',
  ],
  [
    'a key given twice',
    `${BASE}seed: 1\nseed: 2\n`,
    [],
    'c.yaml:9:1: seed: a key may be given once; received it again; keep one of the two',
  ],
  [
    'a tab',
    `${MODEL}data:\n\tpath: corpus.txt\n${STEPS}`,
    [],
    'c.yaml:6:1: YAML is indented with spaces; received a tab; replace it by spaces',
  ],
  [
    'an open bracket',
    `${BASE}sample_prompts: [a\n`,
    [],
    'c.yaml:9:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]; received the end of it; correct it',
  ],
  [
    'a second document',
    `${BASE}---\nseed: 1\n`,
    [],
    'c.yaml:8:1: a configuration is one YAML document; received a second one; remove the line ---',
  ],
  [
    'an alias without an anchor',
    `${BASE}seed: *one\n`,
    [],
    'c.yaml:8:7: not valid YAML: an alias follows its anchor; received *one; write &one before it',
  ],
  [
    'a list at the top',
    '- 1\n- 2\n',
    [],
    'c.yaml:1:1: must be a list of `key: value` lines; received [1,2]; begin with a line such as max_steps: 2000',
  ],
  [
    'a number with underscores',
    `${MODEL}${DATA}max_steps: 2_000\n`,
    [],
    'c.yaml:7:12: max_steps: must be a whole number, 1 or more; received "2_000"; write 2000, without quotes or separators',
  ],
  [
    'a number in quotes',
    `${BASE}learning_rate: "1e-3"\n`,
    [],
    'c.yaml:8:16: learning_rate: must be a number above 0; received "1e-3"; write 0.001, without quotes or separators',
  ],
  [
    'a fraction where a whole number belongs',
    `${BASE}batch_size: 1.5\n`,
    [],
    'c.yaml:8:13: batch_size: must be a whole number, 1 or more; received 1.5; leave it out for the default: 8',
  ],
  [
    'a number out of range',
    `${BASE}adam_beta2: 1\n`,
    [],
    'c.yaml:8:13: adam_beta2: must be a number from 0 to below 1; received 1; leave it out for the default: 0.95',
  ],
  [
    'infinity',
    `${BASE}learning_rate: .inf\n`,
    [],
    'c.yaml:8:16: learning_rate: must be a number above 0; received Infinity; leave it out for the default: 0.001',
  ],
  [
    'a key without a value',
    `${BASE}seed:\n`,
    [],
    'c.yaml:8:1: seed: must be a whole number, 0 or more; received nothing; leave it out for the default: 1337',
  ],
  [
    'yes for true',
    `${BASE.replace('128\n', '128\n  tie_word_embeddings: yes\n')}`,
    [],
    'c.yaml:3:24: model.tie_word_embeddings: must be true or false; received "yes"; write true',
  ],
  [
    'a word that is not among the choices',
    `${BASE}lr_scheduler_type: cosin\n`,
    [],
    'c.yaml:8:20: lr_scheduler_type: must be one of cosine, linear, wsd, constant; received "cosin"; did you mean cosine?',
  ],
  [
    'a scalar where a section belongs',
    `model: llama\n${DATA}${STEPS}`,
    [],
    'c.yaml:1:8: model: must be a section of keys; received "llama"; its keys are architecture, hidden_size, num_hidden_layers, num_attention_heads, num_key_value_heads, intermediate_size, max_position_embeddings, rope_theta, rms_norm_eps, layer_norm_epsilon, tie_word_embeddings, dropout, bias, activation_function',
  ],
  [
    'a list item of the wrong type',
    `${BASE}sample_prompts: [one, 2]\n`,
    [],
    'c.yaml:8:23: sample_prompts[1]: must be text; received 2; leave it out for the default: an empty one; a line break where `special_tokens: false`',
  ],
  [
    'a required key that is missing',
    `${MODEL}${STEPS}`,
    [],
    'c.yaml:1:1: data.path: is required; received nothing; for example data.path: data/tinyshakespeare.txt',
  ],
  [
    'a model without a shape',
    `model:\n  hidden_size: 128\n${DATA}${STEPS}`,
    [],
    'c.yaml:1:1: model.num_hidden_layers: is required, unless init_from names a checkpoint; received nothing; for example model.num_hidden_layers: 4',
    'c.yaml:1:1: model.num_attention_heads: is required, unless init_from names a checkpoint; received nothing; for example model.num_attention_heads: 4',
  ],
  [
    'a data file that is not there',
    `${MODEL}data:\n  path: none.txt\n${STEPS}`,
    [],
    'c.yaml:6:9: data.path: there is no such file; received "none.txt"; correct the path, or bring the data with `fourfold data fetch`',
  ],
  [
    'heads that do not divide the width',
    BASE.replace('128', '130'),
    [],
    'c.yaml:2:16: model.hidden_size: must be divisible by num_attention_heads (4); received 130; use 128 or 136',
  ],
  [
    'an odd head size',
    BASE.replace('128', '132'),
    [],
    'c.yaml:2:16: model.hidden_size: must give an even head size for rotary positions; 4 heads make it 33; received 132; use 128 or 136',
  ],
  [
    'key-value heads that do not divide the heads',
    BASE.replace('data:', '  num_key_value_heads: 3\ndata:'),
    [],
    'c.yaml:5:24: model.num_key_value_heads: must divide num_attention_heads (4); received 3; for example 2',
  ],
  [
    'gpt2 with grouped heads',
    BASE.replace('data:', '  num_key_value_heads: 2\n  architecture: gpt2\ndata:'),
    [],
    'c.yaml:5:24: model.num_key_value_heads: gpt2 has as many as num_attention_heads (4); received 2; remove it',
  ],
  [
    'gpt2 with rotary positions',
    BASE.replace('data:', '  architecture: gpt2\n  rope_theta: 500\ndata:'),
    [],
    'c.yaml:6:15: model.rope_theta: belongs to llama, and the architecture is gpt2; received 500; remove it or set model.architecture: llama',
  ],
  [
    'llama with biases',
    BASE.replace('data:', '  bias: true\ndata:'),
    [],
    'c.yaml:5:9: model.bias: belongs to gpt2, and the architecture is llama; received true; remove it or set model.architecture: gpt2',
  ],
  [
    'a context longer than the model',
    BASE.replace('data:', '  max_position_embeddings: 64\ndata:'),
    ['context_length=128'],
    'command line: context_length=128: context_length: must be no more than model.max_position_embeddings (64); received 128; lower it, or raise model.max_position_embeddings',
  ],
  [
    'no length of the run',
    MODEL + DATA,
    [],
    'c.yaml:1:1: max_steps: one of max_steps, max_tokens and epochs says how long to train; received nothing; for example max_steps: 2000',
  ],
  [
    'two lengths of the run',
    `${BASE}epochs: 2\n`,
    [],
    'c.yaml:8:9: epochs: only one of max_steps, max_tokens and epochs may say how long to train; received max_steps and epochs; remove all but one (on the command line: max_steps=null)',
  ],
  [
    'a warm-up longer than the run',
    `${BASE}warmup_steps: 3000\n`,
    [],
    'c.yaml:8:15: warmup_steps: must be no more than the 2000 steps of the run; received 3000; lower it or train longer',
  ],
  [
    'a warm-up that reaches into the decay',
    `${BASE}lr_scheduler_type: wsd\nwarmup_steps: 1700\n`,
    [],
    'c.yaml:9:15: warmup_steps: must leave room for the decay: 1600 of the 2000 steps; received 1700; lower it or lower decay_fraction',
  ],
  [
    'a decay without wsd',
    `${BASE}decay_fraction: 0.1\n`,
    [],
    'c.yaml:8:17: decay_fraction: is for lr_scheduler_type: wsd; received 0.1; remove it or set lr_scheduler_type: wsd',
  ],
  [
    'a constant rate with a lowest one',
    `${BASE}lr_scheduler_type: constant\nmin_lr_ratio: 0.1\n`,
    [],
    'c.yaml:9:15: min_lr_ratio: is not for lr_scheduler_type: constant, which stays at learning_rate; received 0.1; remove it or choose another schedule',
  ],
  [
    'a shape beside init_from',
    `${BASE}init_from: corpus.txt\n`,
    [],
    'c.yaml:2:16: model.hidden_size: comes from the checkpoint that init_from names; received 128; remove it; of model, only dropout may change',
    'c.yaml:3:22: model.num_hidden_layers: comes from the checkpoint that init_from names; received 4; remove it; of model, only dropout may change',
    'c.yaml:4:24: model.num_attention_heads: comes from the checkpoint that init_from names; received 4; remove it; of model, only dropout may change',
  ],
  [
    'a tokenizer beside init_from',
    `init_from: corpus.txt\ntokenizer: { kind: char }\n${DATA}${STEPS}`,
    [],
    'c.yaml:2:20: tokenizer.kind: comes from the checkpoint that init_from names; received "char"; remove it',
  ],
  [
    'a tokenizer both given and trained',
    `${BASE}tokenizer: { path: corpus.txt, vocab_size: 512 }\n`,
    [],
    'c.yaml:8:44: tokenizer.vocab_size: is for training a tokenizer, and tokenizer.path names an existing one; received 512; remove one of the two',
  ],
  [
    'a vocabulary too small for bytes',
    `${BASE}tokenizer: { vocab_size: 100 }\n`,
    [],
    'c.yaml:8:26: tokenizer.vocab_size: must be 272 or more for bpe: 256 bytes and 16 special tokens; received 100; for example 4096',
  ],
  [
    'a vocabulary size for characters',
    `${BASE}tokenizer: { kind: char, vocab_size: 100 }\n`,
    [],
    'c.yaml:8:38: tokenizer.vocab_size: is for bpe and word; char has one token for each character; received 100; remove it',
  ],
  [
    'the least frequency of characters, and their longest',
    `${BASE}tokenizer: { kind: char, min_frequency: 3, max_token_bytes: 4 }\n`,
    [],
    'c.yaml:8:41: tokenizer.min_frequency: is for bpe and word; char has every character; received 3; remove it',
    'c.yaml:8:61: tokenizer.max_token_bytes: is for bpe; received 4; remove it',
  ],
  [
    'bpe without special tokens',
    `${BASE}tokenizer: { special_tokens: false }\n`,
    [],
    'c.yaml:8:30: tokenizer.special_tokens: may be false for kind: char only; received false; remove it or set tokenizer.kind: char',
  ],
  [
    'a hash split of one document',
    BASE.replace('.txt\n', '.txt\n  split: hash\n'),
    [],
    'c.yaml:7:10: data.split: hash holds out whole documents, and document: file is only one; received "hash"; set data.split: tail, or data.document: line or blank_line',
  ],
  [
    'rows in a text file',
    BASE.replace('.txt\n', '.txt\n  document: row\n'),
    [],
    'c.yaml:7:13: data.document: row is for .jsonl, .json, .csv, .parquet and .arrow; received "row"; use file, line or blank_line',
  ],
  [
    'columns of a text file',
    BASE.replace('.txt\n', '.txt\n  columns: { text: output }\n'),
    [],
    'c.yaml:7:20: data.columns.text: is for .jsonl, .json, .csv and .parquet; received "output"; remove it',
  ],
  [
    'random windows of separate documents',
    BASE.replace('.txt\n', '.txt\n  sampling: random\n  packing: segments\n'),
    [],
    'c.yaml:7:13: data.sampling: random draws windows from one stream of text, and packing: segments parts it; received "random"; set data.sampling: epoch or data.packing: concat',
  ],
  [
    'epochs of random windows',
    BASE.replace('.txt\n', '.txt\n  sampling: random\n').replace(STEPS, 'epochs: 1\n'),
    [],
    'c.yaml:8:9: epochs: a run with data.sampling: random has no epochs; received 1; set max_steps or max_tokens instead, or data.sampling: epoch',
  ],
  [
    'bf16 on a device without it',
    `${BASE}device: wasm\nprecision: bf16\n`,
    [],
    'c.yaml:9:12: precision: bf16 is for the native device, not wasm; received "bf16"; set device: native or precision: fp32',
  ],
  [
    'an override that is none',
    BASE,
    ['learning_rate'],
    'command line: learning_rate: an override must be key=value; received "learning_rate"; for example learning_rate=3e-4 or model.hidden_size=256',
  ],
  [
    'an unknown key on the command line',
    BASE,
    ['learning_rat=1'],
    'command line: learning_rat=1: learning_rat: there is no such key; received 1; did you mean learning_rate?',
  ],
  [
    'a wrong value on the command line',
    BASE,
    ['batch_size=0'],
    'command line: batch_size=0: batch_size: must be a whole number, 1 or more; received 0; leave it out for the default: 8',
  ],
  [
    'a value on the command line that is not YAML',
    BASE,
    ['sample_prompts=[a'],
    'command line: sample_prompts=[a: sample_prompts: the value must be YAML; received "[a"; put it in quotes: \'sample_prompts="…"\'',
  ],
  [
    'a key that reaches for a prototype',
    BASE,
    ['__proto__.x=1'],
    'command line: __proto__.x=1: __proto__: there is no such key; received {"x":1}; see docs/configuration.md',
  ],
  [
    'several things at once, in the order of the file and then of the command line',
    'model:\n  hidden_sise: 128\n  num_hidden_layers: 0\n  num_attention_heads: 4\ndata: { path: corpus.txt }\nmax_steps: 10\nfoo: 1\n',
    ['seed=-1'],
    'c.yaml:1:1: model.hidden_size: is required, unless init_from names a checkpoint; received nothing; for example model.hidden_size: 128',
    'c.yaml:2:3: model.hidden_sise: there is no such key; received 128; did you mean model.hidden_size?',
    'c.yaml:3:22: model.num_hidden_layers: must be a whole number, 1 or more; received 0; for example model.num_hidden_layers: 4',
    'c.yaml:7:1: foo: there is no such key; received 1; see docs/configuration.md',
    'command line: seed=-1: seed: must be a whole number, 0 or more; received -1; leave it out for the default: 1337',
  ],
];

/** Command lines that are wrong, and all that a user should see. */
const commands: [title: string, argv: string[], stderr: string][] = [
  ['an unknown command', ['pretrian'], "error: unknown command 'pretrian'\n(Did you mean pretrain?)\n(--help says more)"],
  ['an unknown option', ['sample', 'x', '--promt', 'a'], "error: unknown option '--promt'\n(Did you mean --prompt?)\n(--help says more)"],
  ['a missing argument', ['pretrain'], "error: missing required argument 'config'\n(--help says more)"],
  [
    'an option without its value',
    ['pretrain', 'c.yaml', '--resume'],
    "error: option '--resume <checkpoint>' argument missing\n(--help says more)",
  ],
  [
    'a superfluous argument',
    ['sample', 'a', 'b'],
    "error: too many arguments for 'sample'. Expected 1 argument but got 2.\n(--help says more)",
  ],
  [
    'a strategy that there is not',
    ['sample', 'x', '--strategy', 'gredy'],
    "error: option '--strategy <name>' argument 'gredy' is invalid. Allowed choices are greedy, sample, beam.\n(--help says more)",
  ],
  [
    'a probability above 1',
    ['sample', 'x', '--top-p', '2'],
    "error: option '--top-p <p>' argument '2' is invalid. It must be a number above 0, 1 at most.\n(--help says more)",
  ],
  [
    'a word for a number',
    ['sample', 'x', '--max-tokens', 'many'],
    "error: option '--max-tokens <n>' argument 'many' is invalid. It must be a whole number, 1 or more.\n(--help says more)",
  ],
  [
    'a configuration that is not there',
    ['validate', 'none.yaml'],
    `error: Read the configuration: there is no such file; received "none.yaml"; ${READY}`,
  ],
  [
    'a directory for a configuration',
    ['validate', 'folder'],
    `error: Read the configuration: it must be a file, and this is a directory; received "folder"; ${READY}`,
  ],
  [
    'a configuration that is not text',
    ['validate', 'binary.yaml'],
    'error: Read the configuration: the file must be UTF-8 text; received "binary.yaml"; save it as UTF-8',
  ],
  [
    'a device that there is not',
    ['pretrain', 'good.yaml', '--device', 'natve'],
    'error: Read the configuration good.yaml: one error\ncommand line: device=natve: device: must be one of auto, native, tensorflow, webgpu, wasm, cpu; received "natve"; did you mean native?',
  ],
  [
    'only overrides to validate',
    ['validate', 'seed=1'],
    'error: Validate: at least one file is required; received only seed=1; name a YAML file',
  ],
];

describe('what a user sees of an error', () => {
  const home = process.cwd();
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'fourfold-'));
    process.chdir(folder);
    writeFileSync('corpus.txt', 'To be, or not to be');
    writeFileSync('good.yaml', BASE);
    writeFileSync('binary.yaml', Buffer.from([0xff, 0xfe, 0x80]));
    mkdirSync('folder');
  });

  after(() => {
    process.chdir(home);
    rmSync(folder, { recursive: true });
  });

  for (const [title, yaml, overrides, ...lines] of configs) {
    it(`in a configuration: ${title}`, async () => {
      writeFileSync('c.yaml', yaml);
      const { code, stdout, stderr } = await fourfold('pretrain', 'c.yaml', ...overrides, '--dry-run');
      const headline = `error: Read the configuration c.yaml: ${lines.length === 1 ? 'one error' : `${lines.length} errors`}`;
      assert.equal(stderr, `${[headline, ...lines].join('\n')}\n`);
      assert.equal(stdout, '');
      assert.equal(code, 1);
    });
  }

  for (const [title, argv, expected] of commands) {
    it(`in a command: ${title}`, async () => {
      const { code, stdout, stderr } = await fourfold(...argv);
      assert.equal(stderr, `${expected}\n`);
      assert.equal(stdout, '');
      assert.equal(code, 1);
    });
  }

  it('names each of several configurations, the right and the wrong ones', async () => {
    writeFileSync('c.yaml', 'seed: x\n');
    const { code, stdout, stderr } = await fourfold('validate', 'good.yaml', 'c.yaml', 'none.yaml', 'batch_size=2');
    assert.equal(stdout, 'good.yaml: correct\n');
    assert.match(stderr, /^error: Read the configuration c\.yaml: 6 errors\nc\.yaml:1:1: data\.path: is required.*none\.yaml/s);
    assert.equal(code, 1);
  });

  it('hides the stack of an error, and shows it with --verbose', async () => {
    assert.doesNotMatch((await fourfold('validate', 'none.yaml')).stderr, /\n\s+at /);
    assert.match((await fourfold('validate', 'none.yaml', '--verbose')).stderr, /\n\s+at /);
  });
});
