import { z } from 'zod';
import { choice, flag, fraction, number, pathOrPaths, positive, section, text, whole } from './fields.js';
import { pretrainKeys } from './keys.js';
import { sftKeys } from './sft-keys.js';

const share = 'a number from 0 to 1';
const isShare = (value: number) => value >= 0 && value <= 1;
const least0 = 'a number, 0 or more';
const isLeast0 = (value: number) => value >= 0;

const data = section(
  {
    path: pathOrPaths({
      meaning:
        'Prompts: one or several tables of prompts or conversations (.arrow); of a conversation, what stands before its last answer.',
      example: 'data/world/prompts-rollout.arrow',
    }),
    eval_path: pathOrPaths({
      meaning: 'Tables of the prompts to evaluate on, all of them.',
      computed: 'the held-out part of `data.path`',
      example: 'data/world/prompts-eval.arrow',
    }).optional(),
    eval_fraction: fraction({
      meaning: 'Part of the prompts that is held out, by the hash of the first question; 0: none. Not with `eval_path`.',
      computed: '0.1',
    }).optional(),
    eval_prompts: whole(0, { meaning: 'So many of those are evaluated on, always the same ones; 0: no evaluation.' }).default(128),
  },
  { meaning: 'The prompts to answer.' },
);

const reward = section(
  {
    model: text({
      meaning: 'A reward model or an ensemble.',
      computed: 'one of `model` and `function`',
      example: 'runs/rm/final',
    }).optional(),
    combine: choice(['mean', 'min', 'mean_minus_std'], {
      meaning: 'Of an ensemble: the mean of the scores, the lowest, or the mean less the standard deviation.',
      computed: 'mean',
      source: 'Coste et al. 2023',
    }).optional(),
    function: text({
      meaning:
        "`gold`: the reward of the built-in world; `random_walks`: that of trlX's task. Or a module (./own.js) whose default export takes a list of {prompt, response, reference, ended} and gives a number for each.",
      computed: 'one of `model` and `function`',
    }).optional(),
    world: text({
      meaning:
        'Directory of the built-in world that the prompts are of. With a model, the gold reward is measured beside it at evaluations.',
      computed: 'none',
      example: 'data/world',
    }).optional(),
  },
  { meaning: 'What an answer is worth.' },
);

const ptx = section(
  {
    path: text({
      meaning: 'Prepared tokens (made with the same tokenizer), or text as for pretraining.',
      computed: 'none',
      example: 'data/tokens',
    }).optional(),
    coefficient: number(least0, isLeast0, {
      meaning:
        'Weight of the mean loss on that text beside the policy loss; 0: the text is not learnt from, the loss on its held-out part only measured.',
      computed: '0.3',
      source: 'measured; 27.8 in Ouyang et al. 2022, of sums',
    }).optional(),
    batch_size: whole(1, { meaning: 'Rows of text, as long as the context, in each minibatch.', computed: '2' }).optional(),
    eval_fraction: number('a number above 0 and below 1', (value) => value > 0 && value < 1, {
      meaning: 'Part of text that is held out, by the hash of the document; prepared tokens have an eval part of their own.',
      computed: '0.02',
    }).optional(),
  },
  { meaning: 'Pretraining text beside the rewards, against forgetting (PPO-ptx, Ouyang et al. 2022).' },
);

const shared = pretrainKeys.shape;

/** Every key of a configuration of PPO. */
export const ppoKeys = z.strictObject(
  {
    stage: choice(['ppo'], { meaning: 'The stage that the file is for.' }).default('ppo'),
    init_from: text({
      meaning: 'Checkpoint of the fine-tuned model: what the policy begins as and the reference stays.',
      example: 'runs/sft/final',
    }),
    critic: choice(['reward', 'policy', 'shared'], {
      meaning:
        'What the critic begins as, with a new head: the reward model (of an ensemble the first), or the policy. `shared`: it is no model of its own but a head on the policy.',
      computed: '`reward` where there is a reward model, else `policy`',
      source: 'Stiennon et al. 2020; Ziegler et al. 2019 (shared)',
    }).optional(),
    value_coefficient: positive({
      meaning: 'With `critic: shared`: weight of the value loss beside the policy loss.',
      computed: '0.1',
      source: 'Ziegler et al. 2019',
    }).optional(),
    data: data.prefault({} as z.input<typeof data>),
    reward: reward.prefault({}),
    ptx: ptx.prefault({}),
    output_dir: text({ meaning: 'Directory of the run.', computed: 'runs/ and the name of the YAML file' }).default('runs/ppo'),
    seed: shared.seed,
    device: shared.device,
    threads: shared.threads,
    precision: shared.precision,
    max_new_tokens: whole(1, { meaning: 'Longest answer, in tokens, the mark that ends it included.' }).default(64),
    temperature: positive({
      meaning: 'Of all log-probabilities: sampling is pure, so that what is learnt from is what was drawn.',
      source: 'Ziegler et al. 2019',
    }).default(1),
    batch_size: whole(1, { meaning: 'Prompts in an update, each answered once.' }).default(64),
    max_steps: whole(1, { meaning: 'So many updates.', computed: '`epochs`' }).optional(),
    epochs: positive({ meaning: 'Answer each prompt so many times.', computed: '1, where `max_steps` is not given' }).optional(),
    num_ppo_epochs: whole(1, { meaning: 'Passes over the answers of an update.', source: 'Ziegler et al. 2019' }).default(4),
    num_mini_batches: whole(1, {
      meaning: 'Parts that the answers are shuffled into in each pass; each is one step of the optimizers.',
      source: 'TRL',
    }).default(1),
    micro_batch_tokens: whole(1, {
      meaning: 'About so many tokens are computed at a time: more need more memory. The update does not depend on it.',
    }).default(1024),
    critic_warmup_steps: whole(0, {
      meaning: 'First updates in which the critic learns alone; with `critic: shared` only its head.',
      source: 'measured: a new critic explains less than nothing',
    }).default(5),
    learning_rate: positive({
      meaning: 'Highest learning rate of the policy; 1.4e-5 at 124 M parameters.',
      source: 'measured, 1 M parameters',
    }).default(5e-5),
    critic_learning_rate: positive({
      meaning: 'The same of the critic; not with `critic: shared`, which has one optimizer.',
      computed: '3 · `learning_rate`',
    }).optional(),
    lr_scheduler_type: choice(['linear', 'cosine', 'wsd', 'constant'], {
      meaning: 'Fall of both learning rates; `wsd`: constant, then a linear fall at the end.',
      source: 'Huang et al. 2024',
    }).default('linear'),
    warmup_ratio: fraction({ meaning: 'Part of the updates in which the learning rates rise.' }).default(0),
    min_lr_ratio: number(share, isShare, { meaning: 'Last learning rate as a part of the highest.', computed: '0' }).optional(),
    decay_fraction: shared.decay_fraction,
    adam_beta1: shared.adam_beta1,
    adam_beta2: sftKeys.shape.adam_beta2,
    adam_epsilon: positive({ meaning: 'Added to the root in AdamW.', source: 'Huang et al. 2024' }).default(1e-5),
    weight_decay: number(least0, isLeast0, { meaning: 'Decoupled decay, of matrices only.', source: 'TRL' }).default(0),
    max_grad_norm: shared.max_grad_norm,
    gamma: number(share, isShare, { meaning: 'Discount of a token later.', source: 'Ziegler et al. 2019' }).default(1),
    lam: number(share, isShare, { meaning: 'λ of generalised advantage estimation.', source: 'Schulman et al. 2016' }).default(0.95),
    cliprange: positive({ meaning: 'ε: a ratio beyond 1 ± ε gains nothing more.', source: 'Schulman et al. 2017' }).default(0.2),
    cliprange_value: positive({
      meaning: 'The critic moves no further from what it said of the rollout.',
      source: 'Ziegler et al. 2019',
    }).default(0.2),
    dual_clip: number('0, or a number above 1', (value) => value === 0 || value > 1, {
      meaning: 'Where the advantage is below 0, the loss is no more than so many times it; 0: no such bound.',
      source: 'Ye et al. 2020',
    }).default(0),
    entropy_coefficient: number(least0, isLeast0, { meaning: "Weight of the policy's entropy, which is gained." }).default(0),
    kl_coef: number(least0, isLeast0, {
      meaning: 'β: what a nat of divergence from the reference costs (the first β, where it adapts).',
      source: 'TRL',
    }).default(0.05),
    kl_target: positive({
      meaning: 'β rises where an answer diverges by more nats than these and falls where by fewer; 6 is usual.',
      computed: 'none: β stays',
      source: 'Ziegler et al. 2019',
    }).optional(),
    kl_horizon: positive({ meaning: 'How slowly β adapts, in answers.', computed: '10000', source: 'Ziegler et al. 2019' }).optional(),
    kl_stop: positive({
      meaning: 'The divergence is too large when the answers of an update diverge by more nats in the mean; see `kl_stop_action`.',
      computed: 'none',
    }).optional(),
    kl_stop_action: choice(['stop', 'roll_back'], {
      meaning:
        'With `kl_stop`: the run ends, or goes on from the last checkpoint within the limit with β doubled (of 0: .05), five times; the sixth time it ends there.',
      computed: 'stop',
    }).optional(),
    approx_kl_stop: positive({
      meaning:
        'The passes over the answers of an update end when a step leaves the policy further than this from what it was (k2, a token).',
      computed: 'none',
      source: 'Spinning Up',
    }).optional(),
    missing_eos_penalty: number(least0, isLeast0, {
      meaning: 'An answer that was cut gets minus this in the stead of its score, after normalisation; 0: it keeps its score.',
      source: 'Ziegler et al. 2019',
    }).default(1),
    score_clip: number(least0, isLeast0, { meaning: 'Scores are kept within ± this; 0: as they are.' }).default(0),
    whiten_rewards: flag({ meaning: "Bring the tokens' rewards to variance 1 in each update.", source: 'TRL' }).default(false),
    logging_steps: whole(1, { meaning: 'Updates from one line of metrics to the next.' }).default(1),
    eval_steps: whole(1, {
      meaning: 'Updates from one evaluation to the next; the first state and the last are always evaluated.',
      computed: 'a tenth of the run',
    }).optional(),
    keep: choice(['last', 'best'], {
      meaning: 'Which model is the final one: the last, or that of the evaluation with the highest score among those within `kl_cap`.',
    }).default('last'),
    kl_cap: positive({
      meaning:
        'With `keep: best`: an evaluation that diverges by more nats is not looked at; by score alone the over-optimised model is kept.',
      computed: 'none',
      source: 'Gao et al. 2022',
    }).optional(),
    save_steps: whole(1, { meaning: 'Updates from one checkpoint to the next; the last is always saved.' }).default(20),
    save_total_limit: shared.save_total_limit,
  },
  { error: 'must be a list of `key: value` lines' },
);

/** A configuration of PPO as written: any key with a default may be missing. */
export type PpoInput = z.input<typeof ppoKeys>;

/** The same, each key read by itself. */
export type PpoKeys = z.output<typeof ppoKeys>;
