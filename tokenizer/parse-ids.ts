import { UserError } from '../util/errors.js';

/**
 * Reads ids from text: whole numbers with spaces, commas or line ends between them; brackets around them may stay.
 * @param size number of ids that there are.
 */
export function parseIds(text: string, size: number): number[] {
  const words = text.match(/[^\s,[\]]+/g) ?? [];
  const rule = `decode: ids must be whole numbers from 0 to ${size - 1}`;
  if (words.length === 0) throw new UserError(`${rule}; received none. Give them as arguments or on stdin`);
  return words.map((word, i) => {
    const id = /^\d+$/.test(word) ? Number(word) : Number.NaN;
    if (id < size) return id;
    throw new UserError(`${rule}; received ${JSON.stringify(word)}, number ${i + 1} of ${words.length}. Use the tokenizer that made them`);
  });
}
