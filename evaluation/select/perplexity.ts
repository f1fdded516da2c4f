import type { SelectConfig } from '../../configs/select-schema.js';
import { sequenceLosses } from '../sequence-losses.js';
import { type Measurer, measureWindows } from './encoded.js';
import { ranked } from './ranked.js';
import type { Strategy } from './strategy.js';

/**
 * Perplexity of a conversation's answers: exp of the mean −log p of their tokens, the marks that end them among them, each given all that stands
 * before it. The lowest come first.
 */
export function perplexity(rules: SelectConfig['perplexity'], measurer: Measurer): Strategy {
  return async (rows) => {
    const values = new Map<number, number>();
    const dropped = await measureWindows(rows, measurer, async (window) => {
      const losses = await sequenceLosses(measurer.model, window);
      losses.forEach(({ loss, tokens }, i) => {
        values.set(window[i].row, Math.exp(loss / tokens));
      });
    });
    return ranked(values, dropped, { name: 'perplexity', best: 'lowest', ...rules });
  };
}
