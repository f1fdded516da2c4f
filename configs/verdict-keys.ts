import { z } from 'zod';
import { fraction, named, text, whole } from './fields.js';
import { pretrainKeys } from './keys.js';

const shared = pretrainKeys.shape;

const model = z.strictObject(
  {
    checkpoint: text({ meaning: 'The model: a checkpoint, or a run, of which the last one is taken.', example: 'runs/sft/final' }),
    few_shot: whole(0, {
      meaning:
        'Examples of questions and answers before each question, which is put as in a dialogue of the corpus: for a base model, which knows no chat. Without it the chat template is used.',
      computed: 'none',
    }).optional(),
    best_of: whole(2, {
      meaning: 'Draw so many answers to each prompt, and take the one that the reward model scores highest.',
      computed: 'one answer, as drawn',
    }).optional(),
  },
  { error: 'must be a section of keys' },
);

/** Every key of a configuration of a verdict. */
export const verdictKeys = z.strictObject(
  {
    world: text({ meaning: 'Directory of the built-in world, which the gold reward is of.', example: 'data/world' }),
    data: text({
      meaning: 'Table of prompts that no model was trained on; each is answered by every model.',
      example: 'data/world/prompts-report.arrow',
    }),
    models: named(model, { meaning: 'The models to compare, each under a name.', example: '{sft: {checkpoint: runs/sft/final}}' }),
    reference: text({
      meaning: 'Name of the model that divergence and win rate are against.',
      computed: '`sft`, where a model has that name',
      example: 'sft',
    }).optional(),
    reward: text({
      meaning: 'A reward model or an ensemble: its score is told beside the gold reward, and `best_of` chooses by it.',
      computed: 'none',
      example: 'runs/reward/final',
    }).optional(),
    conversations: text({
      meaning: 'Table of conversations: the loss of the answers in its held-out part is measured.',
      computed: 'none',
      example: 'data/world/conversations.arrow',
    }).optional(),
    eval_fraction: fraction({
      meaning: 'Part of `conversations` that is held out, by hash: as fine-tuning had it.',
      computed: '0.03, where there are `conversations`',
    }).optional(),
    text: text({
      meaning: 'Prepared tokens of pretraining: bits per byte of their held-out part say what was forgotten.',
      computed: 'none',
      example: 'data/world/tokens',
    }).optional(),
    limit: whole(2, { meaning: 'Only so many prompts, the first.', computed: 'all' }).optional(),
    max_tokens: whole(1, { meaning: 'Longest answer, in tokens.' }).default(80),
    examples: whole(0, { meaning: 'Prompts to show with the answers of all models, evenly over the kinds of prompt.' }).default(12),
    seed: shared.seed,
    device: shared.device,
    threads: shared.threads,
    precision: shared.precision,
  },
  { error: 'must be a list of `key: value` lines' },
);

/** A configuration as written: any key with a default may be missing. */
export type VerdictInput = z.input<typeof verdictKeys>;

/** The same, each key read by itself. */
export type VerdictKeys = z.output<typeof verdictKeys>;
