import type { SelectConfig } from '../../configs/select-schema.js';
import type { EncodedChat, Tokenizer } from '../../tokenizer/index.js';
import type { Sequence } from '../packed-sequences.js';
import { sequenceLosses } from '../sequence-losses.js';
import { type Measurer, measureWindows } from './encoded.js';
import { ranked } from './ranked.js';
import type { Strategy } from './strategy.js';

/**
 * Instruction-following difficulty: the mean −log p of the answers' tokens given what stands before them, divided by that of the same tokens without
 * it. Near 1 the question does not help the model to the answer, so there is something to be learnt; from 1 on it misleads, and the pair does not fit
 * together: such conversations are dropped. The highest come first. See `answersAlone` for what an answer without its question is.
 * Source: Li et al. 2023, "From quantity to quality", arXiv 2308.12032, eq. 1 to 4.
 */
export function ifd(rules: SelectConfig['ifd'], measurer: Measurer): Strategy {
  const { model, tokenizer } = measurer;
  return async (rows) => {
    const values = new Map<number, number>();
    const dropped = await measureWindows(rows, measurer, async (window) => {
      const given = await sequenceLosses(model, window);
      const alone = window.map((encoded) => answersAlone(encoded, tokenizer));
      const losses = await sequenceLosses(model, alone.flat());
      let first = 0;
      window.forEach(({ row }, i) => {
        const end = first + alone[i].length;
        const without = losses.slice(first, end).reduce((sum, { loss }) => sum + loss, 0);
        values.set(row, given[i].loss / without); // both of the same number of tokens
        first = end;
      });
    });
    return ranked(values, dropped, { name: 'ifd', best: 'highest', ...rules });
  };
}

/**
 * Each answer of a conversation without its question: the tokenizer's mark that begins a text (without one, the mark that ends it; without either,
 * the conversation's first token), then the answer's tokens as they are in the conversation, with the mark that ends it. For our own tokenizers
 * that is what a document of the answer's text is in pretraining. The template's mark of the assistant is left out: it announces an answer.
 */
export function answersAlone({ ids, supervised }: EncodedChat, { special: { bos, eos } }: Pick<Tokenizer, 'special'>): Sequence[] {
  const begin = [bos, eos, ids[0]].find((id) => id >= 0)!;
  const answers: Sequence[] = [];
  for (let from = 0; from < ids.length; from++) {
    if (!supervised[from]) continue;
    let to = from;
    while (to < ids.length && supervised[to]) to++;
    answers.push({ ids: [begin, ...ids.slice(from, to)] });
    from = to;
  }
  return answers;
}
