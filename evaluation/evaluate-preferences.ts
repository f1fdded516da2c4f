import { preparePreferences, type RankedTokens, totalCounts } from '../datasets/prepare-preferences.js';
import { UserError } from '../util/errors.js';
import { bestOfN } from './best-of-n.js';
import { distance, outsideShare } from './boundary.js';
import type { Part, PreferenceEvaluation } from './evaluation.js';
import { meanPooledStates } from './mean-pooled-states.js';
import { mean, rewardMetrics } from './reward-metrics.js';
import { answerSeparator, type RewardModel, scoreTexts } from './reward-model.js';
import { scoredTexts, scoreRows } from './score-rows.js';

export interface PreferenceOptions {
  split?: Part;
  evalFraction: number;
  /** The first rows only. */
  limit?: number;
  signal?: AbortSignal;
}

/**
 * What a reward model makes of rankings. Rows without a comparison, and those with an answer that does not fit into the context, are counted and left out.
 * @throws UserError where none is left.
 */
export async function evaluatePreferences(
  model: RewardModel,
  data: string,
  { split = 'all', evalFraction, limit, signal }: PreferenceOptions,
): Promise<PreferenceEvaluation> {
  const { contextLength, template, head, members, boundary } = model;
  const prepared = await preparePreferences([data], template, { contextLength, evalFraction: split === 'all' ? 0 : evalFraction });
  const separator = head === 'pair' ? answerSeparator(template) : undefined;
  const part = split === 'eval' ? prepared.heldOut : prepared.train;
  const fitting = part.filter((row) => scoredTexts(row, separator).every(({ length }) => length <= contextLength));
  const rows = fitting.slice(0, limit);
  if (rows.length === 0) {
    throw new UserError(
      `eval: there must be rankings that fit into ${contextLength} tokens${split === 'all' ? '' : ` of the part ${split}`} in ${data}; there is none`,
    );
  }
  let spread = 0;
  const score = async (texts: readonly Int32Array[]) => {
    const scores = await scoreTexts(model, texts, signal);
    spread = mean(Array.from(scores.std));
    return scores.mean;
  };
  const scored = await scoreRows(rows, score, separator);
  const known = rows.flatMap(({ scores }, i) => (scores ? [{ proxy: scored[i].scores, gold: scores }] : []));
  const { rows: read, withoutComparison, dropped } = totalCounts(prepared.counts);
  return {
    ...{ kind: 'preferences', data, part: split, rows: read, without_comparison: withoutComparison },
    too_long: dropped + part.length - fitting.length,
    metrics: rewardMetrics(scored),
    ...(members.length > 1 && { spread }),
    ...(boundary && { boundary: await placed(model, rows) }),
    ...(known.length > 0 && { best_of_n: bestOfN(known) }),
  };
}

/** Where the answers lie beside the training data. */
async function placed({ members: [first], boundary }: RewardModel, rows: readonly RankedTokens[]) {
  const texts = rows.flatMap(({ ids }) => ids);
  const distances = (await meanPooledStates(first, texts)).map((state) => distance(boundary!, state));
  return { distance: mean(distances), outside: outsideShare(boundary!, distances) };
}
