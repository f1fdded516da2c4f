/** The nearest IEEE half, ties to even: 10 bits of fraction, steps of 2^-24 below 2^-14, infinity from 65520 on. */
export function toHalf(x: number): number {
  const size = Math.abs(x);
  if (!(size < 65520)) return Number.isNaN(x) ? x : Math.sign(x) * Number.POSITIVE_INFINITY;
  const step = size < 2 ** -14 ? 2 ** -24 : 2 ** (Math.floor(Math.log2(size)) - 10);
  const steps = size / step;
  const below = Math.floor(steps);
  const up = steps - below > 0.5 || (steps - below === 0.5 && below % 2 === 1);
  return (x < 0 ? -1 : 1) * (up ? below + 1 : below) * step;
}
