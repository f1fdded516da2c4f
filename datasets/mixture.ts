import { closest } from '../configs/suggest.js';
import { UserError } from '../util/errors.js';

/** Weight of each source in training; 0 leaves one out. */
export type Mixture = Readonly<Record<string, number>>;

/**
 * The weights of `sources` in their order, made to add up to 1.
 * @param where what has the sources, for messages.
 * @throws UserError that lists everything that is wrong.
 */
export function mixtureWeights(mixture: Mixture, sources: readonly string[], where: string): number[] {
  const wrong: string[] = [];
  for (const [name, weight] of Object.entries(mixture)) {
    const near = closest(name, sources);
    if (!sources.includes(name)) wrong.push(`there is no source ${name}${near ? `, did you mean ${near}?` : ''}`);
    else if (!(weight >= 0 && weight < Infinity)) wrong.push(`the weight of ${name} must be a number, 0 or more, and is ${weight}`);
  }
  for (const name of sources) if (!Object.hasOwn(mixture, name)) wrong.push(`${name} has no weight (0 leaves it out)`);
  const weights = sources.map((name) => mixture[name]);
  const sum = weights.reduce((a, b) => a + b, 0);
  if (wrong.length === 0 && sum <= 0) wrong.push('one weight must be above 0');
  if (wrong.length === 0) return weights.map((weight) => weight / sum);
  throw new UserError(
    `mixture: it must give each source of ${where} a weight (${sources.join(', ')}); received ${JSON.stringify(mixture)}: ${wrong.join('; ')}`,
  );
}

/**
 * The source that the next row comes from: the one that is furthest behind its share of all rows, the first of equals. No source is ever
 * further behind or ahead than a few rows, and the order is the same every time.
 * @param drawn rows given so far, by source.
 */
export function nextSource(weights: readonly number[], drawn: readonly number[]): number {
  const rows = drawn.reduce((sum, n) => sum + n, 1);
  let next = 0;
  let most = -Infinity;
  for (let s = 0; s < weights.length; s++) {
    const behind = weights[s] * rows - drawn[s];
    if (behind > most) [next, most] = [s, behind];
  }
  return next;
}

/** What a source gives to training. */
export interface SourceShare {
  name: string;
  tokens: number;
  /** Part of all rows that come from it. */
  share: number;
  /** Rows of one pass over it. */
  rows: number;
}

/** Rows of a table for people: each source with its tokens, its share, and how often a run of so many rows goes over it. */
export function shareRows(sources: readonly SourceShare[], rows: number): string[][] {
  return sources.map(({ name, tokens, share, rows: pass }) => [
    name,
    tokens.toLocaleString('en-US'),
    `${(100 * share).toFixed(1)} %`,
    pass === 0 ? '0' : ((rows * share) / pass).toPrecision(3),
  ]);
}
