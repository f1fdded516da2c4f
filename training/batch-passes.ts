// Legend: B rows of a batch, T tokens of a row.
import * as tf from '@tensorflow/tfjs';
import { recorded } from '../backends/recording.js';
import type { HostBatch } from '../datasets/packing.js';
import type { Batch } from '../model/transformer.js';
import { inputs } from './step.js';

type Shape = Pick<HostBatch, 'batchSize' | 'contextLength'>;

/** What is made once for each shape that batches have: a recorded pass serves one. */
export interface ByShape<X> {
  of(batch: Shape): X;
  /** Why one of them is not replayed, or undefined. */
  readonly notReplayed: string | undefined;
  dispose(): void;
}

export function byShape<X extends { readonly notReplayed?: string; dispose(): void }>(make: (B: number, T: number) => X): ByShape<X> {
  const made = new Map<string, X>();
  return {
    of({ batchSize: B, contextLength: T }) {
      const key = `${B} ${T}`;
      const known = made.get(key) ?? make(B, T);
      made.set(key, known);
      return known;
    },
    get notReplayed() {
      return [...made.values()].find(({ notReplayed }) => notReplayed !== undefined)?.notReplayed;
    },
    dispose() {
      for (const one of made.values()) one.dispose();
    },
  };
}

export interface BatchPasses {
  /** The tensors of the work on a batch, good until the next run of a batch of its shape. */
  run(batch: HostBatch): tf.Tensor[];
  dispose(): void;
}

/** Work without gradients on batches of few different shapes, recorded once for each. */
export function batchPasses(work: (batch: Required<Batch>) => tf.Tensor[]): BatchPasses {
  const passes = byShape((B, T) => {
    const input = inputs(B, T);
    const pass = recorded(() => tf.tidy(() => work(input.batch)));
    return {
      run(batch: HostBatch) {
        input.write(batch);
        return pass.run();
      },
      dispose() {
        pass.dispose();
        input.dispose();
      },
    };
  });
  return { run: (batch) => passes.of(batch).run(batch), dispose: passes.dispose };
}
