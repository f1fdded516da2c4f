import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RandomStream } from '../../util/random.js';
import { mutateBytes, pick } from './mutate.js';

/** A reader of files that somebody else made. */
export interface Target {
  /** Valid inputs. */
  seeds: readonly Uint8Array[];
  /** A change that keeps the input's syntax. */
  mutate?(random: RandomStream, seed: Uint8Array): Uint8Array;
  /** Lengths and places are numbers in it. */
  binary?: boolean;
  /** Reads the input to its end: a UserError refuses it, another error is a fault, as is a result that is not valid. */
  run(input: Uint8Array): Promise<void>;
}

/** Opens a target that may write in `folder`. */
export type OpenTarget = (folder: string) => Promise<Target>;

/** Case `index`: a pure function of its arguments. */
export function makeInput(target: Target, seed: number, index: number): Uint8Array {
  const random = new RandomStream(seed, index);
  const valid = pick(random, target.seeds);
  if (!target.mutate) return mutateBytes(random, valid, pick(random, target.seeds), target.binary);
  const mutated = random.below(5) > 0 ? target.mutate(random, valid) : valid;
  return mutated === valid || random.below(8) === 0 ? mutateBytes(random, mutated, pick(random, target.seeds)) : mutated;
}

/** A file of the tests. */
export function fixture(name: string): Buffer {
  return readFileSync(fileURLToPath(new URL(`../${name}`, import.meta.url)));
}
