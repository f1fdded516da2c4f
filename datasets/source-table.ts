import type { Cell } from '../util/terminal.js';
import type { Dataset } from './dataset.js';
import { mixtureWeights } from './mixture.js';

/**
 * Rows of a table for people: the training part by source. With a mixture, also each source's share of it, and how often training goes over
 * the source while it takes as many tokens as all sources have together.
 */
export function sourceTable({ sources, train, mixture }: Dataset): { header: string[]; rows: Cell[][] } {
  const weights = mixture && mixtureWeights(mixture, sources, 'the data');
  const header = ['source', 'documents', 'tokens', 'bytes', 'share', ...(weights ? ['mixture', 'epochs in one pass'] : [])];
  const rows = sources.map((name, i) => {
    const { documents, tokens, bytes } = train.sources[i];
    const mixed = weights && [percent(weights[i]), weights[i] === 0 ? '0' : ((weights[i] * train.tokens) / tokens).toFixed(2)];
    return [name, documents, tokens, bytes, percent(tokens / train.tokens), ...(mixed ?? [])];
  });
  return { header, rows };
}

const percent = (part: number) => `${(100 * part).toFixed(1)} %`;
