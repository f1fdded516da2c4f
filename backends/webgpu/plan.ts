import type { DataId } from '@tensorflow/tfjs';
import type { ComputePass, GpuBuffer } from './types.js';

interface Dispatch {
  pipeline: object;
  group: object;
  groups: [number, number, number];
}

/** Values that a tensor made by the work was given. */
interface Upload {
  buffer: GpuBuffer;
  values: Float32Array | Int32Array;
}

/** What some work asked of the GPU, to be asked again without JavaScript's part in it. */
export interface Plan {
  commands: (Dispatch | Upload)[];
  /** Tensors that the work made. */
  born: Set<DataId>;
  /** The buffer of every tensor that the commands use. */
  used: Map<DataId, GpuBuffer>;
  /** Of those, tensors that were there when the recording ended: where one lies elsewhere by now, or nowhere, the plan is out of date. */
  alive: [DataId, GpuBuffer][];
  /** Kept from others for as long as the plan lives: buffers of numbers, and of tensors that the work is done with. */
  numbers: GpuBuffer[];
  owned: GpuBuffer[];
  /** Why the plan cannot be used. */
  spoiled?: string;
}

export function emptyPlan(): Plan {
  return { commands: [], born: new Set(), used: new Map(), alive: [], numbers: [], owned: [] };
}

/** A pass that also writes its dispatches into the plan. */
export function watched(pass: ComputePass, plan: Plan): ComputePass {
  let pipeline: object;
  let group: object;
  return {
    setPipeline(given) {
      pipeline = given;
      pass.setPipeline(given);
    },
    setBindGroup(index, given) {
      group = given;
      pass.setBindGroup(index, given);
    },
    dispatchWorkgroups(...groups) {
      plan.commands.push({ pipeline, group, groups });
      pass.dispatchWorkgroups(...groups);
    },
    end: () => pass.end(),
  };
}
