import * as tf from '@tensorflow/tfjs';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';

/** How a backend lends its tensors to tfjs's own CPU kernels and takes their results. */
export interface Lender {
  /** The values of a tensor, which may be the backend's own memory: a CPU kernel only reads them, and only while it runs. */
  values(tensor: tf.TensorInfo): tf.TypedArray;
  /** A tensor of the backend that holds a copy of the values. */
  take(values: tf.TypedArray, shape: number[], dtype: tf.DataType): tf.TensorInfo;
}

let cpu: MathBackendCPU | undefined;

function cpuBackend(): MathBackendCPU {
  if (!cpu) {
    cpu = new MathBackendCPU();
    (cpu as unknown as { firstUse: boolean }).firstUse = false; // no advice about another backend
  }
  return cpu;
}

/** Gives the device `cpu` our kernel in the place of one of tfjs's that is slow beyond use. */
export function registerCpu(): void {
  const [kernelName, backendName] = ['UnsortedSegmentSum', 'cpu'];
  tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const own = backend as MathBackendCPU;
      const lender: Lender = {
        values: ({ dataId }) => own.readSync(dataId) as tf.TypedArray,
        take: (values, shape, dtype) => own.makeTensorInfo(shape, dtype, values),
      };
      return segmentSum(lender, inputs, attrs);
    },
  });
}

/** The names of the kernels that tfjs's CPU backend has and `backend` lacks. */
export function lackingKernels(backend: string): string[] {
  const present = new Set(tf.getKernelsForBackend(backend).map((kernel) => kernel.kernelName));
  return tf
    .getKernelsForBackend('cpu')
    .map((kernel) => kernel.kernelName)
    .filter((name) => !present.has(name));
}

/** Runs the CPU kernel `name` on the lender's tensors. */
export function runOnCpu(
  name: string,
  lender: Lender,
  inputs: tf.NamedTensorInfoMap,
  attrs?: tf.NamedAttrMap,
): tf.TensorInfo | tf.TensorInfo[] {
  if (name === 'UnsortedSegmentSum') return segmentSum(lender, inputs, attrs);
  const kernel = tf.getKernel(name, 'cpu');
  if (!kernel) throw new Error(`runOnCpu: tfjs has no CPU kernel ${name}`);
  const backend = cpuBackend();
  const held = new Set<object>();
  const lend = (tensor: tf.TensorInfo | undefined): tf.TensorInfo => {
    if (!tensor) return undefined as unknown as tf.TensorInfo; // an optional input that is not there
    const info = backend.makeTensorInfo([...tensor.shape], tensor.dtype, lender.values(tensor));
    held.add(info.dataId);
    return info;
  };
  // Kernels of several equal inputs (AddN, Concat, Pack) get an array instead of a record.
  const cpuInputs = Array.isArray(inputs)
    ? inputs.map(lend)
    : Object.fromEntries(Object.entries(inputs).map(([key, tensor]) => [key, lend(tensor)]));
  try {
    const outputs = kernel.kernelFunc({ inputs: cpuInputs as tf.NamedTensorInfoMap, attrs, backend });
    const take = (output: tf.TensorInfo) => {
      held.add(output.dataId);
      return lender.take(typed(backend.readSync(output.dataId) as tf.TypedArray, output.dtype), output.shape, output.dtype);
    };
    return Array.isArray(outputs) ? outputs.map(take) : take(outputs);
  } finally {
    for (const dataId of held) backend.disposeData(dataId, true);
  }
}

/** Some CPU kernels (OneHot) leave floats in a tensor of integers. */
function typed(values: tf.TypedArray, dtype: tf.DataType): tf.TypedArray {
  const type = dtype === 'int32' ? Int32Array : dtype === 'bool' ? Uint8Array : Float32Array;
  return values instanceof type ? values : type.from(values);
}

/**
 * The rows of x [M, ..] summed by their segment, in their order: [numSegments, ..]; ids outside are left out. tfjs's own kernel goes over all rows once
 * for each segment, which for the gradient of an embedding is once for each word of the vocabulary.
 */
function segmentSum(lender: Lender, inputs: tf.NamedTensorInfoMap, attrs?: tf.NamedAttrMap): tf.TensorInfo {
  const { x, segmentIds } = inputs as Record<string, tf.TensorInfo>;
  const { numSegments } = attrs as unknown as { numSegments: number };
  const rest = x.shape.slice(segmentIds.shape.length);
  const width = rest.reduce((a, b) => a * b, 1);
  const [values, ids] = [lender.values(x), lender.values(segmentIds)];
  const sums = x.dtype === 'float32' ? new Float32Array(numSegments * width) : new Int32Array(numSegments * width);
  for (let row = 0; row < ids.length; row++) {
    const to = ids[row] * width;
    if (ids[row] < 0 || ids[row] >= numSegments) continue;
    for (let i = 0; i < width; i++) sums[to + i] += values[row * width + i];
  }
  return lender.take(sums, [numSegments, ...rest], x.dtype);
}
