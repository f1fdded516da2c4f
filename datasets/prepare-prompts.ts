import type { ChatTemplate } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { type Prompt, readPrompts, splitKey, wrongRoles } from './conversations.js';
import { isHeldOut } from './documents.js';

/** A prompt as a model reads it before it answers. */
export interface PromptTokens extends Prompt {
  /** From the mark that begins a text to the one after which the answer begins. */
  ids: number[];
}

export interface PreparedPrompts {
  train: PromptTokens[];
  heldOut: PromptTokens[];
  /** Those that were left out because they are too long. */
  dropped: number;
}

/**
 * Tables of prompts → tokens, in memory; of a conversation, what stands before its last answer. A prompt is held out by the hash of its first question.
 * @param longest tokens that a prompt may have; longer ones are left out and counted.
 * @throws UserError when a file is no such table, or a row is no prompt.
 */
export async function preparePrompts(
  paths: readonly string[],
  template: ChatTemplate,
  { longest, evalFraction }: { longest: number; evalFraction: number },
): Promise<PreparedPrompts> {
  const prepared: PreparedPrompts = { train: [], heldOut: [], dropped: 0 };
  for (const path of paths) {
    let row = 0;
    for await (const prompts of readPrompts(path)) {
      for (const prompt of prompts) {
        const ids = encodePrompt(prompt, template, `row ${row++} of ${path}`);
        if (ids.length > longest) prepared.dropped++;
        else prepared[isHeldOut(splitKey(prompt.prompt), evalFraction) ? 'heldOut' : 'train'].push({ ...prompt, ids });
      }
      await new Promise(setImmediate); // signals arrive
    }
  }
  return prepared;
}

/** A prompt as a model reads it. @param place the row, for errors. @throws UserError when it is no prompt. */
export function encodePrompt({ prompt }: Prompt, template: ChatTemplate, place: string): number[] {
  const wrong = wrongRoles(prompt.map(({ role }) => role), 'user'); // biome-ignore format: short
  if (wrong !== undefined)
    throw new UserError(`prepare prompts: a prompt must end with a question; ${place}: ${wrong}. Correct it or leave it out`);
  try {
    return template.encode(prompt, { addGenerationPrompt: true }).ids;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`prepare prompts: ${place}: ${error.message}`, 1, { cause: error });
  }
}
