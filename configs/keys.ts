import { z } from 'zod';
import { DEVICES } from '../backends/device-names.js';
import { PRECISIONS } from '../backends/precision.js';
import { choice, flag, fraction, number, positive, section, text, texts, weights, whole } from './fields.js';

const model = section(
  {
    architecture: choice(['llama', 'gpt2'], {
      meaning: '`llama`: RMSNorm, RoPE, SwiGLU, no biases. `gpt2`: LayerNorm, learned positions, GELU, optional biases.',
      computed: 'llama',
    }).optional(),
    hidden_size: whole(1, { meaning: 'Width of the model.', computed: 'required, unless `init_from`', example: '128' }).optional(),
    num_hidden_layers: whole(1, { meaning: 'Transformer layers.', computed: 'required, unless `init_from`', example: '4' }).optional(),
    num_attention_heads: whole(1, {
      meaning: 'Attention heads; they divide `hidden_size`.',
      computed: 'required, unless `init_from`',
      example: '4',
    }).optional(),
    num_key_value_heads: whole(1, {
      meaning: 'Key-value heads; fewer than `num_attention_heads` is grouped-query attention (llama only).',
      computed: '`num_attention_heads`',
    }).optional(),
    intermediate_size: whole(1, {
      meaning: 'Width inside the feed-forward layer.',
      computed: 'llama: 8/3 · `hidden_size`, rounded up to 32; gpt2: 4 · `hidden_size`',
      source: 'Shazeer 2020; GPT-2',
    }).optional(),
    max_position_embeddings: whole(1, { meaning: 'Longest context of the model, in tokens.', computed: '`context_length`' }).optional(),
    rope_theta: positive({ meaning: 'Base of the rotary positions (llama only).', computed: '10000', source: 'Su et al. 2021' }).optional(),
    rms_norm_eps: positive({ meaning: 'Added under the root in RMSNorm (llama only).', computed: '1e-5', source: 'Llama 2' }).optional(),
    layer_norm_epsilon: positive({
      meaning: 'Added under the root in LayerNorm (gpt2 only).',
      computed: '1e-5',
      source: 'GPT-2',
    }).optional(),
    tie_word_embeddings: flag({ meaning: 'One table for input and output.', computed: 'true', source: 'GPT-2' }).optional(),
    dropout: fraction({ meaning: 'Probability of dropping, on the embedding and on each residual branch.', computed: '0' }).optional(),
    bias: flag({ meaning: 'Biases in linear layers and norms (gpt2 only).', computed: 'true', source: 'GPT-2' }).optional(),
    activation_function: choice(['gelu_new', 'gelu'], {
      meaning: '`gelu_new`: the tanh approximation; `gelu`: the exact one (gpt2 only).',
      computed: 'gelu_new',
      source: 'GPT-2',
    }).optional(),
  },
  { meaning: 'Shape of the model.' },
);

const tokenizer = section(
  {
    kind: choice(['bpe', 'char', 'word'], { meaning: 'Tokenizer to train on the training text.', computed: 'bpe' }).optional(),
    vocab_size: whole(17, { meaning: 'Size of the vocabulary with the 16 special tokens (bpe and word).', computed: '4096' }).optional(),
    min_frequency: whole(1, { meaning: 'Leave out what is seen less often (bpe: pairs, word: words).', computed: '2' }).optional(),
    max_token_bytes: whole(1, { meaning: 'Longest token (bpe only).', computed: 'as long as words are' }).optional(),
    special_tokens: flag({
      meaning: '`false`: the characters alone, no beginning and end of document (char only).',
      computed: 'true',
    }).optional(),
    path: text({ meaning: 'An existing tokenizer.json or checkpoint, in place of training one.', computed: 'none' }).optional(),
  },
  { meaning: 'How text becomes tokens.' },
);

const data = section(
  {
    path: text({
      meaning: 'Anything that `data import` reads (text, rows, a folder of them), a corpus (.arrow) or a directory of prepared tokens.',
      example: 'data/tinyshakespeare.txt',
    }),
    document: choice(['file', 'line', 'blank_line', 'row'], {
      meaning: 'What a document is: the whole file, a line, what blank lines part, or a row.',
      computed: 'rows: row; text: file',
    }).optional(),
    columns: section(
      { text: text({ meaning: 'Column that holds the text (.jsonl, .json, .csv, .parquet only).', computed: 'text' }).optional() },
      { meaning: 'Names of the columns.' },
    ).prefault({}),
    split: choice(['hash', 'tail'], {
      meaning: '`hash`: documents by their hash, so that none moves when data is added; `tail`: the end of the text.',
      computed: '`document: file`: tail; otherwise hash',
    }).optional(),
    eval_fraction: number('a number above 0 and below 1', (value) => value > 0 && value < 1, {
      meaning: 'Part of the data that is held out for evaluation.',
      source: 'nanoGPT',
    }).default(0.1),
    packing: choice(['concat', 'segments'], {
      meaning: '`concat`: documents follow each other; `segments`: and a token attends to its own document only.',
    }).default('concat'),
    sampling: choice(['epoch', 'random'], {
      meaning: '`epoch`: every window once, shuffled; `random`: windows drawn at random, as nanoGPT does.',
    }).default('epoch'),
    mixture: weights({
      meaning: 'Weight of each source of the data: its part of the rows. Names every source; 0 leaves one out.',
      computed: 'that of the prepared tokens, or none: each source as much as there is of it',
      example: '{ wiki: 2, c4: 1 }',
    }).optional(),
  },
  { meaning: 'The text to learn from.' },
);

/** Every key of a pretraining configuration. */
export const pretrainKeys = z.strictObject(
  {
    stage: choice(['pretrain'], { meaning: 'The stage that the file is for.' }).default('pretrain'),
    model: model.prefault({}),
    tokenizer: tokenizer.prefault({}),
    data: data.prefault({} as z.input<typeof data>),
    output_dir: text({ meaning: 'Directory of the run.', computed: 'runs/ and the name of the YAML file' }).default('runs/pretrain'),
    init_from: text({ meaning: 'Checkpoint to continue from: its model and tokenizer, new data.', computed: 'none' }).optional(),
    seed: whole(0, { meaning: 'Seed of everything that is drawn at random.', source: 'nanoGPT' }).default(1337),
    device: choice(DEVICES, {
      meaning: 'Where to compute; `fourfold doctor` lists them.',
    }).default('auto'),
    threads: whole(1, { meaning: 'Threads of the native device; results do not depend on it.', computed: 'physical cores' }).optional(),
    precision: choice(PRECISIONS, {
      meaning:
        'What matrices are rounded to when they are multiplied, on the native device: `bf16` where the processor has it, `fp16` with a loss scale. Sums are `fp32`.',
    }).default('fp32'),
    context_length: whole(1, { meaning: 'Tokens that the model sees at once.' }).default(256),
    batch_size: whole(1, { meaning: 'Sequences in a batch.' }).default(8),
    gradient_accumulation_steps: whole(1, { meaning: 'Batches whose gradients make one step.' }).default(1),
    max_steps: whole(1, { meaning: 'Train for so many steps.', computed: 'one of `max_steps`, `max_tokens`, `epochs`' }).optional(),
    max_tokens: whole(1, { meaning: 'Train on so many tokens.', computed: 'one of `max_steps`, `max_tokens`, `epochs`' }).optional(),
    epochs: positive({ meaning: 'Pass over the data so many times.', computed: 'one of `max_steps`, `max_tokens`, `epochs`' }).optional(),
    learning_rate: positive({
      meaning: 'Highest learning rate; 6e-4 at 124 M parameters.',
      source: 'nanoGPT, up to 10 M parameters',
    }).default(1e-3),
    lr_scheduler_type: choice(['cosine', 'linear', 'wsd', 'constant'], {
      meaning: 'Fall of the learning rate after warm-up; `wsd`: constant, then a linear fall at the end.',
      source: 'nanoGPT; wsd: Hu et al. 2024',
    }).default('cosine'),
    warmup_steps: whole(0, {
      meaning: 'Steps of linear warm-up.',
      computed: '100, or a tenth of the steps where that is fewer',
      source: 'nanoGPT',
    }).optional(),
    min_lr_ratio: number('a number from 0 to 1', (value) => value >= 0 && value <= 1, {
      meaning: 'Last learning rate as a part of the highest.',
      computed: '0.1',
      source: 'nanoGPT',
    }).optional(),
    decay_fraction: number('a number above 0, 1 at most', (value) => value > 0 && value <= 1, {
      meaning: 'Part of the steps in which wsd decays.',
      computed: '0.2',
      source: 'Hägele et al. 2024',
    }).optional(),
    adam_beta1: fraction({ meaning: 'Decay of the mean of gradients.', source: 'GPT-3' }).default(0.9),
    adam_beta2: fraction({ meaning: 'Decay of the mean of squared gradients.', source: 'GPT-3' }).default(0.95),
    adam_epsilon: positive({ meaning: 'Added to the root in AdamW.', source: 'GPT-3' }).default(1e-8),
    weight_decay: number('a number, 0 or more', (value) => value >= 0, {
      meaning: 'Decoupled decay, of matrices only.',
      source: 'GPT-3',
    }).default(0.1),
    max_grad_norm: number('a number, 0 or more', (value) => value >= 0, {
      meaning: 'Clip the norm of all gradients to this; 0: do not clip.',
      source: 'GPT-3',
    }).default(1),
    logging_steps: whole(1, { meaning: 'Steps from one line of metrics to the next.' }).default(10),
    eval_steps: whole(1, { meaning: 'Steps from one evaluation to the next; the last step is always evaluated.' }).default(250),
    save_steps: whole(1, { meaning: 'Steps from one checkpoint to the next; the last step is always saved.' }).default(500),
    save_total_limit: whole(1, { meaning: 'Checkpoints to keep, beside the best.' }).default(3),
    sample_steps: whole(0, { meaning: 'Steps from one set of samples to the next; 0: none.', computed: '`eval_steps`' }).optional(),
    sample_prompts: texts({
      meaning: 'Prompts to sample from.',
      computed: 'an empty one; a line break where `special_tokens: false`',
    }).optional(),
    sample_max_tokens: whole(1, { meaning: 'Longest sample, in tokens.' }).default(100),
  },
  { error: 'must be a list of `key: value` lines' },
);

/** A pretraining configuration as written: any key with a default may be missing. */
export type PretrainInput = z.input<typeof pretrainKeys>;

/** The same, each key read by itself; what depends on other keys is still missing. */
export type PretrainKeys = z.output<typeof pretrainKeys>;

/** Whether a file holds rows, each a document, by its extension. */
export function rowFormat(path: string): boolean {
  return /\.arrow$/i.test(path) || namedColumns(path);
}

/** Whether the columns of a file may have any names, by its extension. */
export function namedColumns(path: string): boolean {
  return /\.(jsonl|ndjson|json|csv|tsv|parquet)(\.(gz|zst|zstd))?$/i.test(path);
}

/** Tokens that one step of the optimizer learns from. */
export function tokensPerStep(config: Pick<PretrainKeys, 'batch_size' | 'context_length' | 'gradient_accumulation_steps'>): number {
  return config.batch_size * config.context_length * config.gradient_accumulation_steps;
}

/** Steps of the whole run where the configuration alone says it; with `epochs` it takes the data to know. */
export function stepsGiven(
  config: Pick<PretrainKeys, 'max_steps' | 'max_tokens'> & Parameters<typeof tokensPerStep>[0],
): number | undefined {
  return config.max_tokens === undefined ? config.max_steps : Math.ceil(config.max_tokens / tokensPerStep(config));
}
