/** How different texts are from each other: what falls where a policy collapses. All from 0 to 1. */
export interface Diversity {
  /** Different words, and different pairs of neighbours, as a part of all there are. */
  distinct1: number;
  distinct2: number;
  /** The mean BLEU-4 of each text against all others: high where they say the same. */
  selfBleu: number;
}

/**
 * @param texts their tokens or words.
 * Source: distinct-n: Li et al. 2016, section 5.3; self-BLEU: Zhu et al. 2018 (Texygen), with BLEU of Papineni et al. 2002, orders without a match
 * counted as half of one (smoothing as NIST's mteval).
 */
export function diversity(texts: readonly (readonly number[])[]): Diversity {
  return { distinct1: distinct(texts, 1), distinct2: distinct(texts, 2), selfBleu: selfBleu(texts) };
}

/** Different runs of n tokens as a part of all there are. */
export function distinct(texts: readonly (readonly number[])[], n: number): number {
  const all = texts.flatMap((text) => gramsOf(text, n));
  return all.length === 0 ? 0 : new Set(all).size / all.length;
}

function gramsOf(text: readonly number[], n: number): string[] {
  return Array.from({ length: Math.max(0, text.length - n + 1) }, (_, i) => text.slice(i, i + n).join(' '));
}

function selfBleu(texts: readonly (readonly number[])[]): number {
  if (texts.length < 2) return 0;
  const orders = [1, 2, 3, 4].map((n) => countsOf(texts, n));
  const scores = texts.map((text, i) => {
    const precisions = orders.flatMap(({ counts, most }, order) => {
      const total = text.length - order;
      if (total <= 0) return [];
      let matches = 0;
      for (const [gram, count] of counts[i]) {
        const [first, second] = most.get(gram)!; // the most often that a text has it; without this text the next
        matches += Math.min(count, first.text === i ? second : first.count);
      }
      return [(matches === 0 ? 0.5 : matches) / total];
    });
    if (precisions.length === 0) return 0;
    const closest = closestLength(texts, i);
    const brevity = text.length >= closest ? 1 : Math.exp(1 - closest / text.length);
    return brevity * Math.exp(precisions.reduce((sum, precision) => sum + Math.log(precision), 0) / precisions.length);
  });
  return scores.reduce((a, b) => a + b, 0) / scores.length;
}

/** The text that has something most often, and how often another has it at most. */
type Most = [first: { text: number; count: number }, second: number];

function countsOf(texts: readonly (readonly number[])[], n: number) {
  const counts = texts.map((text) => {
    const own = new Map<string, number>();
    for (const gram of gramsOf(text, n)) own.set(gram, (own.get(gram) ?? 0) + 1);
    return own;
  });
  const most = new Map<string, Most>();
  counts.forEach((own, text) => {
    for (const [gram, count] of own) {
      const [first, second] = most.get(gram) ?? [{ text: -1, count: 0 }, 0];
      most.set(gram, count > first.count ? [{ text, count }, first.count] : [first, Math.max(second, count)]);
    }
  });
  return { counts, most };
}

/** The length of the other text that is nearest to this one's; of two the shorter. */
function closestLength(texts: readonly (readonly number[])[], i: number): number {
  const { length } = texts[i];
  let closest = Number.POSITIVE_INFINITY;
  texts.forEach((other, j) => {
    const [far, nearest] = [Math.abs(other.length - length), Math.abs(closest - length)];
    if (j !== i && (far < nearest || (far === nearest && other.length < closest))) closest = other.length;
  });
  return closest;
}
