/** Values of a figure that are shown together. */
export interface Bin {
  /** `0.7 – 0.8`: from the first to below the second, which the last holds, too; `< 0.7`; or a word. */
  label: string;
  kept: number;
  dropped: number;
}

const MOST_BINS = 12;
/** So many more on either side are no reason to put what is there into one. */
const MOST_MORE = 6;
/** From so many times the smallest value on, the bins grow with the values. */
const WIDE = 30;

/**
 * A figure's values in bins with round limits, kept and dropped apart: bins of one width, the first and last of which take in the smallest and the
 * largest hundredth where that lies far out; or, where the largest is 30 times the smallest or more, 1, 2, 5, 10, 20 and so on. Words have a bin each, in the order
 * of the alphabet. Values that are not finite are left out.
 */
export function binsOf(values: ReadonlyMap<number, number | string>, isDropped: (row: number) => boolean): Bin[] {
  const words = [...new Set([...values.values()].filter((value) => typeof value === 'string'))].sort();
  const numbers = [...values.values()].filter((value) => typeof value === 'number').filter(Number.isFinite);
  const limits = numbers.length === 0 ? [] : limitsOf(Float64Array.from(numbers).sort());
  const labels = [...words, ...limits.slice(1).map((limit, i) => label(limits[i], limit))];
  const bins = labels.map((label): Bin => ({ label, kept: 0, dropped: 0 }));
  for (const [row, value] of values) {
    if (typeof value === 'number' && !Number.isFinite(value)) continue;
    const bin = typeof value === 'string' ? words.indexOf(value) : binOf(value, limits);
    bins[bin][isDropped(row) ? 'dropped' : 'kept']++;
  }
  return bins;
}

function label(from: number, to: number): string {
  if (from === Number.NEGATIVE_INFINITY) return `< ${text(to)}`;
  return to === Number.POSITIVE_INFINITY ? `≥ ${text(from)}` : `${text(from)} – ${text(to)}`;
}

function binOf(value: number, limits: readonly number[]): number {
  let bin = limits.length - 2;
  while (bin > 0 && value < limits[bin]) bin--;
  return bin;
}

/** The limits of bins, one more than there are bins. @param sorted at least one number. */
function limitsOf(sorted: Float64Array): number[] {
  const quantile = (part: number) => sorted[Math.round(part * (sorted.length - 1))];
  const [least, most] = [sorted[0], sorted[sorted.length - 1]];
  if (least > 0 && most >= WIDE * least) return growing(least, most);
  const [low, high] = [quantile(0.01), quantile(0.99)];
  const step = round125((high - low || most - least || Math.abs(most) || 1) / MOST_BINS);
  const [down, up] = [(value: number) => Math.floor(value / step + 1e-9), (value: number) => Math.ceil(value / step - 1e-9)];
  const first = down(least) >= down(low) - MOST_MORE ? down(least) : down(low);
  const last = Math.max(first + 1, up(most) <= up(high) + MOST_MORE ? up(most) : up(high));
  const limits = Array.from({ length: last - first + 1 }, (_, i) => exact((first + i) * step));
  if (least < limits[0]) limits.unshift(Number.NEGATIVE_INFINITY);
  if (most > limits.at(-1)!) limits.push(Number.POSITIVE_INFINITY);
  return limits;
}

function growing(least: number, most: number): number[] {
  const limits: number[] = [];
  for (let power = Math.floor(Math.log10(least)); ; power++) {
    for (const step of [1, 2, 5]) {
      const limit = exact(step * 10 ** power);
      if (limits.length > 0 && limit <= least) limits.pop();
      limits.push(limit);
      if (limit > most) return limits;
    }
  }
}

/** 1, 2 or 5 times a power of ten, `value` or more. */
function round125(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  return exact(power * [1, 2, 5, 10].find((step) => step * power >= value * (1 - 1e-9))!);
}

/** Without what the binary fraction adds. */
const exact = (value: number) => Number(value.toPrecision(12));
const text = (value: number) => value.toLocaleString('en', { maximumFractionDigits: 12 });
