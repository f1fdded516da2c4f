import { InvalidArgumentError } from 'commander';

/** Reads an option's number; `rule` says in words when `test` holds, after "it must be". */
export function numberOption(rule: string, test: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || !test(value)) throw new InvalidArgumentError(`It must be ${rule}.`);
    return value;
  };
}

/** Reads a whole number, `min` or more. */
export function wholeOption(min: number): (text: string) => number {
  return numberOption(`a whole number, ${min} or more`, (value) => Number.isSafeInteger(value) && value >= min);
}
