export interface SamplingRule {
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
}

/** The probabilities a row is sampled from, in double precision: penalty, temperature, top-k, top-p, min-p in the order of transformers. */
export function samplingOracle(logits: ArrayLike<number>, rule: SamplingRule, previous: readonly number[] = []): number[] {
  const { temperature, topK, topP, minP, repetitionPenalty } = rule;
  const x = Array.from(logits, (logit, id) => {
    if (!previous.includes(id)) return logit;
    return logit < 0 ? logit * repetitionPenalty : logit / repetitionPenalty;
  });
  const order = x.map((_, id) => id).sort((a, b) => x[b] - x[a] || a - b);
  if (temperature === 0) return x.map((_, id) => (id === order[0] ? 1 : 0));
  const top = x[order[0]];
  const weight = x.map((value) => Math.exp((value - top) / temperature));
  if (topK > 0 && topK < x.length) {
    const limit = x[order[topK - 1]];
    for (const id of order) if (x[id] < limit) weight[id] = 0;
  }
  const total = weight.reduce((a, b) => a + b, 0);
  let ahead = 0;
  order.forEach((id, rank) => {
    const own = weight[id];
    if (topP < 1 && rank > 0 && ahead >= topP * total) weight[id] = 0;
    ahead += own;
  });
  const kept = weight.map((w) => (w < minP ? 0 : w));
  const sum = kept.reduce((a, b) => a + b, 0);
  return kept.map((w) => w / sum);
}

/** The first id at which the cumulative probability passes `uniform`. */
export function draw(probabilities: readonly number[], uniform: number): number {
  let passed = 0;
  let last = 0;
  for (const [id, p] of probabilities.entries()) {
    if (p === 0) continue;
    last = id;
    passed += p;
    if (passed > uniform) break;
  }
  return last;
}
