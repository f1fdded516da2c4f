import type { Path } from '../configs/source.js';

/** `${STEP.OUTPUT}`, alone or within a text. */
const REFERENCE = /\$\{\s*([^}]*?)\s*\}/g;

/** A place in a configuration that names what an earlier step makes. */
export interface Reference {
  path: Path;
  step: string;
  output: string;
}

/** `value` with each reference replaced by what `resolve` gives for it; where it gives nothing, the reference stays. */
export function replaceReferences(value: unknown, resolve: (reference: Reference) => string | undefined, path: Path = []): unknown {
  if (typeof value === 'string') {
    return value.replace(REFERENCE, (whole, inner: string) => {
      const dot = inner.indexOf('.');
      const [step, output] = dot < 0 ? [inner, ''] : [inner.slice(0, dot), inner.slice(dot + 1)];
      return resolve({ path, step, output }) ?? whole;
    });
  }
  if (Array.isArray(value)) return value.map((item, i) => replaceReferences(item, resolve, [...path, i]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaceReferences(item, resolve, [...path, key])]));
}

/** Whether a path in a configuration is that of a key: list items are those of their list, `NAME` is any name. */
export function isPlaceOf(path: Path, key: string): boolean {
  const names = path.filter((part) => typeof part !== 'number');
  const parts = key.split('.');
  return names.length === parts.length && parts.every((part, i) => part === 'NAME' || part === names[i]);
}
