import path from 'node:path';
import { requireKind } from '../datasets/conversations.js';
import { type LoadedModel, type ModelOptions, openModel } from '../sampler/model.js';
import { readChatTemplate } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { exists } from '../util/files.js';
import { type ConversationOptions, evaluateConversations } from './evaluate-conversations.js';
import { evaluatePreferences } from './evaluate-preferences.js';
import { evaluateText, type TextOptions } from './evaluate-text.js';
import type { Evaluation } from './evaluation.js';
import { isRewardModel, openRewardModel } from './reward-model.js';

export interface EvaluateOptions extends ModelOptions, ConversationOptions, TextOptions {
  /** A chat template in place of the checkpoint's: a name or a file. */
  template?: string;
}

/**
 * Evaluates a checkpoint on each of some files: a language model on tables of conversations, corpora, or folders of prepared tokens; a reward model on
 * tables of preferences.
 * @throws UserError for what cannot be read or does not fit together.
 */
export async function evaluate(checkpoint: string, data: readonly string[], options: EvaluateOptions): Promise<Evaluation[]> {
  if (await isRewardModel(checkpoint)) return evaluateRewardModel(checkpoint, data, options);
  const model = await openModel(checkpoint, options);
  try {
    const evaluations: Evaluation[] = [];
    for (const file of data) evaluations.push(await evaluateFile(model, file, options));
    return evaluations;
  } finally {
    model.dispose();
  }
}

async function evaluateRewardModel(checkpoint: string, data: readonly string[], options: EvaluateOptions): Promise<Evaluation[]> {
  if (options.template !== undefined) {
    throw new UserError(
      `eval: --template is for language models; ${checkpoint} is a reward model, which knows the one that it was trained with. Leave it out`,
    );
  }
  for (const file of data) await requireKind(file, ['preferences']);
  const model = await openRewardModel(checkpoint, options);
  try {
    const evaluations: Evaluation[] = [];
    for (const file of data) evaluations.push(await evaluatePreferences(model, file, options));
    return evaluations;
  } finally {
    model.dispose();
  }
}

async function evaluateFile(model: LoadedModel, file: string, options: EvaluateOptions): Promise<Evaluation> {
  const prepared = await exists(path.join(file, 'dataset.json'));
  if (prepared || (await requireKind(file, ['conversations', 'corpus'])) === 'corpus') return evaluateText(model, file, options);
  const template = await readChatTemplate(model.directory, model.tokenizer, options.template);
  return evaluateConversations(model, template, file, options);
}
