import { z } from 'zod';
import { choice, flag, fraction, number, pathOrPaths, positive, section, text, texts, weights, whole } from './fields.js';
import { pretrainKeys } from './keys.js';

const replay = section(
  {
    path: text({
      meaning: 'Prepared tokens (made with the same tokenizer), or text as for pretraining.',
      computed: 'none',
      example: 'data/tokens',
    }).optional(),
    fraction: number('a number above 0 and below 1', (value) => value > 0 && value < 1, {
      meaning: 'Part of the rows that are replayed text.',
      computed: '0.1',
    }).optional(),
  },
  { meaning: 'Pretraining text among the conversations, against forgetting (Ouyang et al. 2022 mix it in; Scialom et al. 2022).' },
);

const data = section(
  {
    path: pathOrPaths({
      meaning: 'Conversations: one or several tables (.arrow), or files that `data import` makes some of.',
      example: 'data/alpaca_en_demo.arrow',
    }),
    eval_fraction: fraction({
      meaning: 'Part of the conversations that is held out, by the hash of the first question; 0: none.',
    }).default(0.1),
    train_on: choice(['assistant', 'last_assistant', 'all'], {
      meaning: 'Tokens to be predicted: those of every answer with the mark that ends it, of the last answer, or all.',
      source: 'Touvron et al. 2023; TRL `assistant_only_loss`',
    }).default('assistant'),
    overlong: choice(['error', 'drop', 'truncate_turns', 'truncate'], {
      meaning:
        'A conversation longer than the context: stop; leave it out; leave its last turns out (all of it where one turn is too long); cut its tokens.',
    }).default('truncate_turns'),
    allow_special: flag({ meaning: 'Read text that spells a special token as that token.' }).default(false),
    mixture: weights({
      meaning: 'Weight of each source of the conversations: its part of their rows. Names every source; 0 leaves one out.',
      computed: 'none: each source as much as there is of it',
      example: '{ alpaca_en: 1, alpaca_zh: 2 }',
    }).optional(),
    replay: replay.prefault({}),
  },
  { meaning: 'The conversations to learn from.' },
);

const shared = pretrainKeys.shape;

/** Every key of a configuration of supervised fine-tuning. */
export const sftKeys = z.strictObject(
  {
    stage: choice(['sft'], { meaning: 'The stage that the file is for.' }).default('sft'),
    init_from: text({ meaning: 'Checkpoint to start from: its model, tokenizer and chat template.', example: 'runs/base/final' }),
    template: text({
      meaning: 'Chat template: `chatml`, `llama3`, `alpaca`, `vicuna`, or a file of Jinja.',
      computed: "the checkpoint's own",
    }).optional(),
    dropout: fraction({
      meaning: 'Probability of dropping, as in `model.dropout` of pretraining.',
      computed: "the checkpoint's own",
    }).optional(),
    data: data.prefault({} as z.input<typeof data>),
    output_dir: text({ meaning: 'Directory of the run.', computed: 'runs/ and the name of the YAML file' }).default('runs/sft'),
    seed: shared.seed,
    device: shared.device,
    threads: shared.threads,
    precision: shared.precision,
    context_length: whole(2, { meaning: 'Tokens of a row; short conversations share one.', computed: "the model's longest" }).optional(),
    batch_size: whole(1, { meaning: 'Rows in a batch.' }).default(8),
    gradient_accumulation_steps: shared.gradient_accumulation_steps,
    max_steps: whole(1, { meaning: 'Train for so many steps.', computed: '`epochs`' }).optional(),
    epochs: positive({
      meaning: 'Pass over the conversations so many times.',
      computed: '3, where `max_steps` is not given',
      source: 'Taori et al. 2023',
    }).optional(),
    learning_rate: positive({
      meaning: 'Highest learning rate; 2e-5 at 7 B parameters.',
      source: 'nanochat, up to 30 M parameters',
    }).default(3e-4),
    lr_scheduler_type: shared.lr_scheduler_type,
    warmup_ratio: fraction({ meaning: 'Part of the steps in which the learning rate rises.', source: 'Taori et al. 2023' }).default(0.03),
    min_lr_ratio: number('a number from 0 to 1', (value) => value >= 0 && value <= 1, {
      meaning: 'Last learning rate as a part of the highest.',
      computed: '0',
      source: 'Taori et al. 2023',
    }).optional(),
    decay_fraction: shared.decay_fraction,
    adam_beta1: shared.adam_beta1,
    adam_beta2: fraction({ meaning: 'Decay of the mean of squared gradients.', source: 'Hugging Face Trainer' }).default(0.999),
    adam_epsilon: shared.adam_epsilon,
    weight_decay: shared.weight_decay,
    max_grad_norm: shared.max_grad_norm,
    label_smoothing_factor: fraction({
      meaning: 'Part of each target that is spread over the whole vocabulary.',
      source: 'Szegedy et al. 2016, as in Hugging Face Trainer',
    }).default(0),
    neftune_noise_alpha: number('a number, 0 or more', (value) => value >= 0, {
      meaning: 'Noise on the embeddings in training: uniform, α/√(tokens · width) at most; 5 to 15 are usual, 0 is none.',
      source: 'Jain et al. 2023 (NEFTune)',
    }).default(0),
    freeze: texts({
      meaning: 'Parameters that stay as they are, by their names on disk; `*` stands for anything.',
      computed: 'none',
      example: '["model.embed_tokens.weight", "model.layers.0.*"]',
    }).default([]),
    logging_steps: shared.logging_steps,
    eval_steps: whole(1, {
      meaning: 'Steps from one evaluation to the next; the first state and the last step are always evaluated.',
      computed: 'a tenth of the run',
    }).optional(),
    early_stopping_patience: whole(0, {
      meaning: 'Stop after so many evaluations without a better held-out loss, and take the best model; 0: do not.',
      source: 'Prechelt 1998, as in Hugging Face Trainer',
    }).default(0),
    save_steps: shared.save_steps,
    save_total_limit: shared.save_total_limit,
    sample_steps: shared.sample_steps,
    sample_prompts: texts({ meaning: 'Questions to answer.', computed: 'the first three held-out questions' }).optional(),
    sample_max_tokens: shared.sample_max_tokens,
  },
  { error: 'must be a list of `key: value` lines' },
);

/** A configuration of supervised fine-tuning as written: any key with a default may be missing. */
export type SftInput = z.input<typeof sftKeys>;

/** The same, each key read by itself. */
export type SftKeys = z.output<typeof sftKeys>;
