import type { Decoder } from './decoder.js';

export interface BeamOptions {
  numBeams: number;
  /** A finished beam's score is its log-probability divided by its length to this power. */
  lengthPenalty: number;
  /** `true`: stop at `numBeams` finished ones; `false`: when no running one is likely to become better; `'never'`: when none can. */
  earlyStopping?: boolean | 'never';
  maxTokens: number;
  /** Ids that end a sequence. */
  eos: ReadonlySet<number>;
}

export interface Hypothesis {
  /** The new tokens, the end of text included. */
  tokens: number[];
  score: number;
}

const IMPOSSIBLE = -1e9;

/**
 * Beam search over one prompt; the result is sorted, best first, `numBeams` long.
 * Scores are float32, and their ties go to the lower beam and id, as in the source, so that equal logits give equal sequences.
 * Source: transformers, `GenerationMixin._beam_search`.
 */
export async function beamSearch(decoder: Decoder, prompt: readonly number[], options: BeamOptions): Promise<Hypothesis[]> {
  const { numBeams, lengthPenalty, maxTokens, eos, earlyStopping = false } = options;
  const normalise = (score: number, length: number) => Math.fround(score / length ** lengthPenalty);
  let running: Hypothesis[] = Array.from({ length: numBeams }, (_, i) => ({ tokens: [], score: i === 0 ? 0 : IMPOSSIBLE }));
  let finished = running.map(() => ({ tokens: [] as number[], score: IMPOSSIBLE, done: false }));
  let improvable = true;
  let feed: (readonly number[])[] = running.map(() => prompt);

  for (let length = 0; ; ) {
    const scores = await logProbabilities(decoder, feed);
    const candidates = best(scores, running, Math.max(2, 1 + eos.size) * numBeams);
    const ends = candidates.map(({ token }) => eos.has(token) || length + 1 >= maxTokens);

    const full = earlyStopping === true && finished.every(({ done }) => done);
    const fresh = candidates.map(({ beam, token, score }, rank) => {
      const done = ends[rank] && rank < numBeams;
      const penalty = (full ? IMPOSSIBLE : 0) + (improvable ? 0 : IMPOSSIBLE) + (done ? 0 : IMPOSSIBLE);
      return { tokens: [...running[beam].tokens, token], score: Math.fround(normalise(score, length + 1) + penalty), done };
    });
    finished = top([...finished, ...fresh], numBeams);

    const open = candidates.map((candidate, rank) => ({
      ...candidate,
      score: Math.fround(candidate.score + (ends[rank] ? IMPOSSIBLE : 0)),
    }));
    const next = top(open, numBeams);
    running = next.map(({ beam, token, score }) => ({ tokens: [...running[beam].tokens, token], score }));
    length++;

    const hypothetical = earlyStopping === 'never' && lengthPenalty > 0 ? maxTokens : length;
    const reachable = normalise(running[0].score, hypothetical);
    const worst = Math.min(...finished.map(({ score }) => score));
    improvable &&= finished.some(({ done }) => reachable > (done ? worst : IMPOSSIBLE));
    const satisfied = earlyStopping === true && finished.every(({ done }) => done);
    if (!improvable || satisfied || ends.every(Boolean)) break;
    decoder.reorder(next.map(({ beam }) => beam));
    feed = running.map(({ tokens }) => [tokens.at(-1)!]);
  }
  return finished.map(({ tokens, score }) => ({ tokens, score }));
}

/** log softmax of the logits that follow each row's tokens. */
async function logProbabilities(decoder: Decoder, feed: readonly (readonly number[])[]): Promise<Float32Array[]> {
  const logits = decoder.feed(feed);
  const values = (await logits.data()) as Float32Array;
  const [rows, V] = logits.shape;
  logits.dispose();
  return Array.from({ length: rows }, (_, row) => logSoftmax(values.subarray(row * V, (row + 1) * V)));
}

/** In double precision, rounded to float32. */
export function logSoftmax(logits: Float32Array): Float32Array {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - largest);
  const normaliser = largest + Math.log(sum);
  return logits.map((value) => value - normaliser);
}

interface Candidate {
  beam: number;
  token: number;
  score: number;
}

/** The `count` likeliest continuations of all beams, the likeliest first; of equals those of the lower beam, then of the lower id. */
function best(scores: Float32Array[], running: readonly Hypothesis[], count: number): Candidate[] {
  const found: Candidate[] = [];
  scores.forEach((row, beam) => {
    const before = running[beam].score;
    for (let token = 0; token < row.length; token++) {
      const score = Math.fround(row[token] + before);
      if (found.length === count && !(score > found[count - 1].score)) continue;
      let at = found.length;
      while (at > 0 && score > found[at - 1].score) at--;
      found.splice(at, 0, { beam, token, score });
      if (found.length > count) found.pop();
    }
  });
  return found;
}

/** The `count` of highest score, highest first; earlier ones first among equals. */
function top<T extends { score: number }>(items: T[], count: number): T[] {
  return items
    .map((item, i) => ({ item, i }))
    .sort((a, b) => b.item.score - a.item.score || a.i - b.i)
    .slice(0, count)
    .map(({ item }) => item);
}
