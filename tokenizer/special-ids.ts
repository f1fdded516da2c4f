import { UserError } from '../util/errors.js';
import type { AddedToken } from './added-tokens.js';
import { isFields, shortened } from './format.js';
import type { SpecialIds } from './tokenizer.js';

/** What others call theirs, first found first taken. */
const NAMES = {
  bos: ['<|bos|>', '<|begin_of_text|>', '<|startoftext|>', '<s>', '<｜begin▁of▁sentence｜>'],
  eos: ['<|eos|>', '<|end_of_text|>', '<|endoftext|>', '</s>', '<｜end▁of▁sentence｜>'],
  pad: ['<|pad|>', '<|finetune_right_pad_id|>', '<pad>', '[PAD]', '<｜▁pad▁｜>'],
};

/**
 * Ids of another's bos, eos and pad, -1 where there is none.
 * @param config tokenizer_config.json: what it names counts; without it, added tokens with well-known names.
 * @throws UserError where it names a token that is not in the vocabulary.
 */
export function readSpecialIds(config: object | undefined, added: readonly AddedToken[], ids: ReadonlyMap<string, number>): SpecialIds {
  const named = (mark: keyof typeof NAMES): number => {
    if (config !== undefined) return configured(config, `${mark}_token`, ids);
    const name = NAMES[mark].find((content) => added.some((token) => token.content === content));
    return name === undefined ? -1 : ids.get(name)!;
  };
  return { bos: named('bos'), eos: named('eos'), pad: named('pad') };
}

function configured(config: object, key: string, ids: ReadonlyMap<string, number>): number {
  const value = (isFields(config) ? config[key] : undefined) ?? undefined;
  if (value === undefined) return -1;
  const token = isFields(value) ? value['content'] : value;
  const id = typeof token === 'string' ? ids.get(token) : undefined;
  if (id === undefined) {
    throw new UserError(
      `load tokenizer: ${key} of tokenizer_config.json must be a token of the tokenizer.json beside it, or null; received ${shortened(JSON.stringify(value), 80)}. Correct it`,
    );
  }
  return id;
}
