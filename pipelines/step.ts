import type { PipelineKeys } from '../configs/pipeline-keys.js';
import type { Artifact, Kind } from './kinds.js';
import type { Reference } from './references.js';

/** A step as it will be run. */
export interface Step {
  name: string;
  kind: Kind;
  /** Where it writes: `runs/tiny/4-pretrain`. */
  directory: string;
  /** Checked and completed; references are paths. */
  config: unknown;
  /** What of other steps it needs. */
  references: readonly Reference[];
  /** Paths of what it makes, by name. */
  outputs: Readonly<Record<string, { type: Artifact; path: string }>>;
  /** About how long it takes on two cores, as the file has it. */
  seconds?: number;
}

export interface Plan extends Pick<PipelineKeys, 'output_dir' | 'seed' | 'device' | 'threads' | 'precision'> {
  name: string;
  steps: readonly Step[];
}
