import type { SelectConfig } from '../../configs/select-schema.js';
import { answerTokens, type Encoder, encodeRow } from './encoded.js';
import type { Outcome, Strategy } from './strategy.js';

/** Drops conversations with fewer or more tokens than the limits say, in all or of their answers. */
export function length(limits: SelectConfig['length'], encoder: Encoder): Strategy {
  const { min_tokens = 0, max_tokens = Number.POSITIVE_INFINITY } = limits;
  const { min_answer_tokens, max_answer_tokens = Number.POSITIVE_INFINITY } = limits;
  return async (rows) => {
    const [tokens, answer] = ['tokens', 'answer tokens'].map((name) => ({ name, values: new Map<number, number>() }));
    const outcome: Outcome = { dropped: new Map(), figures: [tokens, answer] };
    for await (const row of rows()) {
      const encoded = encodeRow(encoder, row);
      for (const [{ name, values }, count, min, max] of [
        [tokens, encoded.ids.length, min_tokens, max_tokens],
        [answer, answerTokens(encoded), min_answer_tokens, max_answer_tokens],
      ] as const) {
        values.set(row.row, count);
        if ((count >= min && count <= max) || outcome.dropped.has(row.row)) continue;
        const limit = count < min ? `< ${min}` : `> ${max}`;
        outcome.dropped.set(row.row, { rule: `${name} ${limit}`, reason: `${count} ${name} ${limit}` });
      }
    }
    return outcome;
  };
}
