/** Lengths counted in bins that are the same for every file: 0, 1, 2 to 4, 5 to 9, 10 to 19, 20 to 49 and so on. */

/** First length of each bin. */
const STARTS: readonly number[] = [0, ...Array.from({ length: 37 }, (_, i) => [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3))];

/** Number of lengths in each bin. */
export type LengthCounts = Float64Array;

export function noLengths(): LengthCounts {
  return new Float64Array(STARTS.length);
}

export function countLength(counts: LengthCounts, length: number): void {
  let bin = STARTS.length - 1;
  while (length < STARTS[bin]) bin--;
  counts[bin]++;
}

/** `sum` with `more` added; `sum` is a new one where there is none. */
export function addLengths(sum: LengthCounts | undefined, more: LengthCounts): LengthCounts {
  const result = sum ?? noLengths();
  more.forEach((count, bin) => {
    result[bin] += count;
  });
  return result;
}

/** A bin that is to be shown. */
export interface LengthBin {
  /** `20 – 49`; `2k – 5k` is from 2,000 to below 5,000. */
  label: string;
  count: number;
  /** It holds lengths beyond the limit, and no others. */
  past?: boolean;
}

/** The longest that fits, and those of the lengths that do not. */
export interface LengthLimit {
  limit: number;
  past: LengthCounts;
}

/** The bins from the first to the last that has something in it. One that a limit falls in is cut in two there. */
export function lengthBins(counts: LengthCounts, limited?: LengthLimit): LengthBin[] {
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  const bins = STARTS.map((start, bin): LengthBin[] => {
    if (!limited || limited.limit >= (STARTS[bin + 1] ?? Number.POSITIVE_INFINITY) - 1) return [{ label: label(bin), count: counts[bin] }];
    const { limit, past } = limited;
    if (limit < start) return [{ label: label(bin), count: counts[bin], past: true }];
    return [
      { label: exactly(start, limit), count: counts[bin] - past[bin] },
      { label: exactly(limit + 1, STARTS[bin + 1] - 1), count: past[bin], past: true },
    ];
  });
  return bins.slice(Math.max(0, first), last + 1).flat();
}

function exactly(from: number, to: number): string {
  return from === to ? from.toLocaleString('en') : `${from.toLocaleString('en')} – ${to.toLocaleString('en')}`;
}

function label(bin: number): string {
  const [from, to] = [STARTS[bin], STARTS[bin + 1]];
  if (to === undefined) return `${short(from)} –`;
  if (to - from === 1) return `${from}`;
  return from < 1000 && to <= 1000 ? `${from} – ${to - 1}` : `${short(from)} – ${short(to)}`;
}

function short(n: number): string {
  const power = Math.min(4, Math.floor(Math.log10(n) / 3));
  return `${n / 1000 ** power}${['', 'k', 'M', 'G', 'T'][power]}`;
}
