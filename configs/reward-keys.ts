import { z } from 'zod';
import { choice, fraction, number, pathOrPaths, positive, section, text, whole } from './fields.js';
import { pretrainKeys } from './keys.js';
import { sftKeys } from './sft-keys.js';

const data = section(
  {
    path: pathOrPaths({
      meaning: 'Rankings: one or several tables of preferences (.arrow), or files that `data import` makes some of.',
      example: 'data/preferences.arrow',
    }),
    eval_fraction: fraction({
      meaning: 'Part of the prompts that is held out, by the hash of the first question; 0: none.',
    }).default(0.1),
    limit: whole(1, { meaning: 'Learn from the first so many rows only; what is held out stays the same.', computed: 'all' }).optional(),
    boundary: pathOrPaths({
      meaning: 'Other tables of preferences to judge the finished model on, with their distance from the training data.',
      computed: 'none',
      example: 'data/shifted.arrow',
    }).optional(),
  },
  { meaning: 'The rankings to learn from.' },
);

const shared = pretrainKeys.shape;
const { init_from, template, dropout, max_steps, warmup_ratio, min_lr_ratio, adam_beta2, freeze } = sftKeys.shape;

/** Every key of a configuration of a reward model. */
export const rewardKeys = z.strictObject(
  {
    stage: choice(['reward'], { meaning: 'The stage that the file is for.' }).default('reward'),
    init_from,
    template,
    dropout,
    head: choice(['scalar', 'pair'], {
      meaning:
        'A score for each answer; or a classifier that reads two answers in one text and says whether the first is better (not for PPO).',
      source: 'Stiennon et al. 2020; Jiang et al. 2023 (PairRM)',
    }).default('scalar'),
    attention: choice(['causal', 'bidirectional'], {
      meaning: "`bidirectional` makes the body an encoder: each token sees the whole text (not for PPO's critic).",
    }).default('causal'),
    ensemble: whole(1, {
      meaning: 'Train so many models, each from another seed; scores then have a mean and a standard deviation.',
      source: 'Coste et al. 2023',
    }).default(1),
    data: data.prefault({} as z.input<typeof data>),
    loss: choice(['bradley_terry', 'plackett_luce'], {
      meaning: 'Of all pairs of answers to a prompt, or of the whole ranking; ties are for the first only.',
      source: 'Ouyang et al. 2022; Xia et al. 2008',
    }).default('bradley_terry'),
    ties: choice(['half', 'ignore'], {
      meaning: 'Pairs of equal rank: learnt as even (probability ½), or left out.',
      computed: 'half; with loss: plackett_luce, none',
    }).optional(),
    label_smoothing_factor: fraction({
      meaning: "Taken from the better answer's probability, for annotators who err.",
      source: 'Mitchell 2023 (conservative DPO), as in TRL',
    }).default(0),
    center_rewards_coefficient: number('a number, 0 or more', (value) => value >= 0, {
      meaning: 'Weight of the squared sum of the two scores of a pair: keeps scores around 0.',
      computed: '0.01; with head: pair, none',
      source: 'Eisenstein et al. 2023, as in TRL',
    }).optional(),
    output_dir: text({ meaning: 'Directory of the run.', computed: 'runs/ and the name of the YAML file' }).default('runs/reward'),
    seed: shared.seed,
    device: shared.device,
    threads: shared.threads,
    precision: shared.precision,
    context_length: whole(2, {
      meaning: 'Tokens that prompt and answer may have together; a prompt loses its left part, an answer is never cut.',
      computed: "the model's longest",
    }).optional(),
    batch_size: whole(1, { meaning: 'Prompts in an update, each with all its answers.', source: 'Stiennon et al. 2020' }).default(64),
    micro_batch_tokens: whole(1, {
      meaning:
        'About so many tokens are computed at a time: more need more memory. The update does not depend on it, but for rounding and what dropout drops.',
    }).default(4096),
    max_steps,
    epochs: positive({
      meaning: 'Pass over the rankings so many times; more than one overfits.',
      computed: '1, where `max_steps` is not given',
      source: 'Ouyang et al. 2022, section C.2',
    }).optional(),
    learning_rate: positive({
      meaning: 'Highest learning rate; 1.5e-5 at 1 B parameters.',
      source: 'measured, up to 30 M parameters',
    }).default(3e-4),
    lr_scheduler_type: shared.lr_scheduler_type,
    warmup_ratio,
    min_lr_ratio,
    decay_fraction: shared.decay_fraction,
    adam_beta1: shared.adam_beta1,
    adam_beta2,
    adam_epsilon: shared.adam_epsilon,
    weight_decay: shared.weight_decay,
    max_grad_norm: shared.max_grad_norm,
    freeze,
    normalize_samples: whole(2, {
      meaning: "Answers whose scores' mean and standard deviation are stored with the model.",
      source: 'Ziegler et al. 2019, section 2.1',
    }).default(256),
    logging_steps: shared.logging_steps,
    eval_steps: whole(1, {
      meaning: 'Steps from one evaluation to the next; the first state and the last step are always evaluated.',
      computed: 'a tenth of the run',
    }).optional(),
    early_stopping_patience: whole(0, {
      meaning: 'Stop after so many evaluations without a better held-out accuracy, and take the best model; 0: do not.',
      source: 'Prechelt 1998, as in Hugging Face Trainer',
    }).default(0),
    save_steps: shared.save_steps,
    save_total_limit: shared.save_total_limit,
  },
  { error: 'must be a list of `key: value` lines' },
);

/** A configuration of a reward model as written: any key with a default may be missing. */
export type RewardInput = z.input<typeof rewardKeys>;

/** The same, each key read by itself. */
export type RewardKeys = z.output<typeof rewardKeys>;
