import type { SelectConfig } from '../../configs/select-schema.js';
import { Counter } from '../../datasets/clean/counter.js';
import { Document } from '../../datasets/clean/document.js';
import { repeatedLinePart, repeatedNgramPart } from '../../datasets/clean/repetition.js';
import { shown } from '../../datasets/clean/rule.js';
import { answersOf, type Outcome, type Strategy } from './strategy.js';

/**
 * Drops conversations whose answers repeat themselves: the part of their lines that stand in them before, and of their characters that lie in
 * n-grams that do. Source: Rae et al. 2021, table A1, whose limits for web pages (0.3 of lines, 0.15 in 5-grams) are for longer texts.
 */
export function repetition({ max_lines, max_ngrams, words }: SelectConfig['repetition']): Strategy {
  const document = new Document();
  const counter = new Counter();
  return async (rows) => {
    const [lines, ngrams] = ['repeated lines', `repeated ${words}-grams`].map((name) => ({ name, values: new Map<number, number>() }));
    const outcome: Outcome = { dropped: new Map(), figures: [lines, ngrams] };
    for await (const row of rows()) {
      document.become(Buffer.from(answersOf(row)));
      for (const [{ name, values }, part, limit] of [
        [lines, repeatedLinePart(document, counter), max_lines],
        [ngrams, repeatedNgramPart(document, words, counter), max_ngrams],
      ] as const) {
        values.set(row.row, part);
        if (part <= limit || outcome.dropped.has(row.row)) continue;
        outcome.dropped.set(row.row, { rule: `${name} > ${limit}`, reason: `${name} ${shown(part, limit)} > ${limit}` });
      }
    }
    return outcome;
  };
}
