/** Names that other tools give to our keys. */
const elsewhere: Record<string, string> = {
  n_layer: 'model.num_hidden_layers',
  n_layers: 'model.num_hidden_layers',
  num_layers: 'model.num_hidden_layers',
  n_head: 'model.num_attention_heads',
  n_heads: 'model.num_attention_heads',
  num_heads: 'model.num_attention_heads',
  n_embd: 'model.hidden_size',
  d_model: 'model.hidden_size',
  n_inner: 'model.intermediate_size',
  n_positions: 'model.max_position_embeddings',
  model_type: 'model.architecture',
  attention_dropout: 'model.dropout',
  block_size: 'context_length',
  max_length: 'context_length',
  max_seq_length: 'context_length',
  per_device_train_batch_size: 'batch_size',
  max_iters: 'max_steps',
  num_train_epochs: 'epochs',
  num_epochs: 'epochs',
  lr: 'learning_rate',
  min_lr: 'min_lr_ratio',
  lr_scheduler: 'lr_scheduler_type',
  warmup_iters: 'warmup_steps',
  beta1: 'adam_beta1',
  beta2: 'adam_beta2',
  eps: 'adam_epsilon',
  grad_clip: 'max_grad_norm',
  clip: 'max_grad_norm',
  eval_interval: 'eval_steps',
  log_interval: 'logging_steps',
  out_dir: 'output_dir',
  dtype: 'precision',
  bf16: 'precision',
  dataset: 'data.path',
  model_name_or_path: 'init_from',
  chat_template: 'template',
  label_smoothing: 'label_smoothing_factor',
  neftune_alpha: 'neftune_noise_alpha',
  patience: 'early_stopping_patience',
  response_length: 'max_new_tokens',
  init_kl_coef: 'kl_coef',
  beta: 'kl_coef',
  lambda: 'lam',
  gae_lambda: 'lam',
  ppo_epochs: 'num_ppo_epochs',
  clip_coef: 'cliprange',
  ent_coef: 'entropy_coefficient',
  value_learning_rate: 'critic_learning_rate',
  reward_model_path: 'reward.model',
  sft_model_path: 'init_from',
};

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. Source: Damerau 1964, restricted form. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(above[j] + 1, row[j - 1] + 1, replace);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    before = above;
    above = row;
  }
  return above[b.length];
}

/** The candidate that `word` was probably meant to be, or nothing where none is near. */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/**
 * The key that an unknown one was probably meant to be: the same name at another level, its name in another tool,
 * a near one at the same level, a near one anywhere.
 * @param key  dotted, as found.
 * @param keys every key there is, dotted.
 */
export function suggestKey(key: string, keys: readonly string[]): string | undefined {
  const name = lastPart(key);
  const section = key.slice(0, key.length - name.length);
  const siblings = keys.filter((other) => other === section + lastPart(other));
  const alias = Object.hasOwn(elsewhere, name) && keys.includes(elsewhere[name]) ? elsewhere[name] : undefined;
  const near = closest(name, siblings.map(lastPart));
  return (
    keys.find((other) => lastPart(other) === name) ??
    alias ??
    (near === undefined ? undefined : section + near) ??
    keys.find((other) => lastPart(other) === closest(name, keys.map(lastPart)))
  );
}

function lastPart(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1);
}
