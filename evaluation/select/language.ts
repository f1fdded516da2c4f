import type { SelectConfig } from '../../configs/select-schema.js';
import { Document } from '../../datasets/clean/document.js';
import { guessLanguage } from '../../datasets/clean/language.js';
import { type Outcome, type Strategy, textOf } from './strategy.js';

/** Keeps conversations by the language that all that is said in them is guessed to be in; see `guessLanguage`. */
export function language({ keep }: SelectConfig['language']): Strategy {
  const document = new Document();
  return async (rows) => {
    const outcome: Outcome = { dropped: new Map(), figures: [{ name: 'language', values: new Map() }] };
    for await (const row of rows()) {
      const { language: found } = guessLanguage(document.become(Buffer.from(textOf(row))).words);
      outcome.figures[0].values.set(row.row, found);
      if (!keep.includes(found)) outcome.dropped.set(row.row, { rule: `not ${keep.join(' or ')}`, reason: `language ${found}` });
    }
    return outcome;
  };
}
