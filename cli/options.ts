import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEVICES } from '../backends/device-names.js';
import { PRECISIONS } from '../backends/precision.js';

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

/** How a token is chosen, but for the temperature. */
export function samplingOptions(): Option[] {
  return [
    new Option('--top-k <k>', 'choose among the k likeliest tokens; 0: among all').argParser(wholeOption(0)).default(0),
    new Option('--top-p <p>', 'choose among the likeliest tokens that make up p')
      .argParser(numberOption('a number above 0, 1 at most', (p) => p > 0 && p <= 1))
      .default(0.95),
    new Option('--min-p <p>', 'leave out tokens below p times the likeliest')
      .argParser(numberOption('a number from 0 to 1', (p) => p >= 0 && p <= 1))
      .default(0),
    new Option('--repetition-penalty <r>', 'above 1: repeat less').argParser(numberOption('a number above 0', (r) => r > 0)).default(1),
  ];
}

/** `--stop`, which may be given several times. */
export function stopOption(): Option {
  return new Option('--stop <text>', 'stop before this text; may be given several times')
    .argParser((text: string, before: string[]) => {
      if (text === '') throw new InvalidArgumentError('It must be at least one character.');
      return [...before, text];
    })
    .default([]);
}

/** Where and how a model computes. */
export function modelOptions(): Option[] {
  return [
    new Option('--device <name>', 'where to compute; see fourfold doctor').choices(DEVICES).default('auto'),
    new Option('--precision <name>', 'what is multiplied: bf16 about twice as fast, where the processor has it')
      .choices(PRECISIONS)
      .default('fp32'),
    new Option('--threads <n>', 'threads; the physical cores where not given').argParser(wholeOption(1)),
  ];
}

/** Adds options to a command. */
export function withOptions(command: Command, ...options: Option[]): Command {
  for (const option of options) command.addOption(option);
  return command;
}
