/** Numbers as the report writes them: without a zero before the point, with a true minus, units after a space that does not break. */
import type { Interval } from './shapes.js';

/** Stands where nothing was measured. */
export const NOTHING = '–';

/** `digits` decimal places: .43, 1.10, −.11. */
export function decimal(value: number | undefined, digits = 2): string {
  if (value === undefined || !Number.isFinite(value)) return NOTHING;
  const written = Math.abs(value).toFixed(digits);
  const sign = value < 0 && Number(written) !== 0 ? '−' : '';
  return sign + written.replace(/^0(?=\.)/, '');
}

/** A share as 62.5 %. */
export const percent = (share: number | undefined, digits = 1): string =>
  share === undefined || !Number.isFinite(share) ? NOTHING : `${(100 * share).toFixed(digits).replace('-', '−')}\u00a0%`;

/** A whole number with commas. */
export const count = (value: number | undefined): string => (value === undefined ? NOTHING : Math.round(value).toLocaleString('en'));

/** The smallest and largest of an interval, a unit that both have once; empty where it has none, or is a point: what was computed, not measured. */
export function range(ends: readonly [number, number] | undefined, write: (value: number) => string = decimal): string {
  if (!ends || ends[1] - ends[0] < 1e-9) return '';
  const [low, high] = ends.map((value) => write(value));
  const unit = /\u00a0\D+$/.exec(low)?.[0];
  return `${unit !== undefined && high.endsWith(unit) ? low.slice(0, -unit.length) : low} – ${high}`;
}

/** A mean with its interval in one line: .43 (.40 – .46). */
export function within(interval: Interval | undefined, write: (value: number) => string = decimal): string {
  if (!interval) return NOTHING;
  const ends = range(interval.ci95, write);
  return ends === '' ? write(interval.mean) : `${write(interval.mean)} (${ends})`;
}

/** Seconds as 45 s, 3 min 20 s, 2 h 5 min. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined) return NOTHING;
  if (seconds < 9.95) return `${seconds.toFixed(1)}\u00a0s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}\u00a0s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}\u00a0min ${whole % 60}\u00a0s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min`;
}

/** Bytes as 412 MB or 1.3 GB (10⁶, 10⁹). */
export function bytes(value: number | undefined): string {
  if (value === undefined) return NOTHING;
  return value < 999.5e6 ? `${Math.round(value / 1e6)}\u00a0MB` : `${(value / 1e9).toFixed(1)}\u00a0GB`;
}

/** A number for a table of measured points: as many places as matter. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return NOTHING;
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1000) return count(value).replace('-', '−');
  if (size < 0.001) return value.toExponential(1).replaceAll('-', '−');
  return decimal(value, size >= 100 ? 1 : size >= 1 ? 2 : 3);
}

/** A number beside an axis: no more places than it has. */
export function tick(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return value.toLocaleString('en').replace('-', '−');
  if (size > 0 && size < 0.00001) return value.toExponential().replaceAll('-', '−');
  return String(Number(value.toPrecision(6)))
    .replace('-', '−')
    .replace(/(?<!\d)0(?=\.)/, '');
}
