import * as tf from '@tensorflow/tfjs';
import type { NativeEngine } from '../backend.js';
import { define, size } from './define.js';
import { broadcastStrides, joinDimensions, rowStrides } from './strides.js';

/** Where a copy begins, in elements, and its step along each dimension; a step back is negative. */
interface Side {
  tensor: tf.TensorInfo;
  strides: readonly number[];
  from?: number;
}

/** Copies `shape` elements from one tensor into another. @returns false when too many dimensions remain for the kernel. */
function copy(engine: NativeEngine, shape: readonly number[], x: Side, y: Side): boolean {
  const walk = joinDimensions(shape, [x.strides, y.strides]);
  if (!walk) return false;
  if (size(shape) === 0) return true;
  const [sx, sy] = walk.strides;
  let reversed = 0;
  sx.forEach((step, d) => {
    if (step < 0) reversed |= 1 << d;
  });
  const steps = sx.map((step) => Math.abs(step));
  engine.kernels.copy(
    engine.handle(x.tensor),
    engine.handle(y.tensor),
    ...walk.shape,
    ...steps,
    ...sy,
    x.from ?? 0,
    y.from ?? 0,
    reversed,
    size(x.tensor.shape),
    size(y.tensor.shape),
  );
  return true;
}

/** A new tensor of `shape` that reads x with these strides, beginning at element `from`; undefined when the walk has too many dimensions. */
function gathered(
  engine: NativeEngine,
  x: tf.TensorInfo,
  shape: readonly number[],
  strides: readonly number[],
  from = 0,
): tf.TensorInfo | undefined {
  const y = engine.make(shape, x.dtype);
  if (copy(engine, shape, { tensor: x, strides, from }, { tensor: y, strides: rowStrides(shape) })) return y;
  engine.disposeData(y.dataId);
  return undefined;
}

function slice(engine: NativeEngine, x: tf.TensorInfo, begin: readonly number[], shape: readonly number[]): tf.TensorInfo | undefined {
  const strides = rowStrides(x.shape);
  const from = begin.reduce((sum, start, d) => sum + start * strides[d], 0);
  return gathered(engine, x, shape, strides, from);
}

/** The tensor with its elements repeated to `shape`. */
export function broadcast(engine: NativeEngine, x: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo | undefined {
  return gathered(engine, x, shape, broadcastStrides(x.shape, shape));
}

/** Joins tensors along an axis: each is [outer, own length, inner]. */
function concatenate(engine: NativeEngine, tensors: readonly tf.TensorInfo[], axis: number, shape: readonly number[]): tf.TensorInfo {
  const y = engine.make(shape, tensors[0].dtype);
  const outer = size(shape.slice(0, axis));
  const row = size(shape.slice(axis));
  let from = 0;
  for (const tensor of tensors) {
    const own = outer > 0 ? size(tensor.shape) / outer : 0;
    copy(engine, [outer, own], { tensor, strides: [own, 1] }, { tensor: y, strides: [row, 1], from });
    from += own;
  }
  return y;
}

/** Kernels that move elements and compute nothing. */
export function registerMovement(engine: NativeEngine): void {
  define(engine, tf.Identity, ({ x }) => engine.reshaped(x, x.shape));
  define<{ shape: number[] }>(engine, tf.Reshape, ({ x }, { shape }) => {
    const inferred = tf.util.inferFromImplicitShape(shape, size(x.shape));
    tf.util.assert(size(x.shape) === size(inferred), () => `reshape: [${x.shape}] does not have the elements of [${inferred}]`);
    return engine.reshaped(x, inferred);
  });
  define<{ dim: number }>(engine, tf.ExpandDims, ({ input }, { dim }) => {
    const shape = [...input.shape];
    shape.splice(dim < 0 ? input.shape.length + dim + 1 : dim, 0, 1);
    return engine.reshaped(input, shape);
  });
  define<{ perm: number[] }>(engine, tf.Transpose, ({ x }, { perm }) => {
    const strides = rowStrides(x.shape);
    const shape = perm.map((d) => x.shape[d]);
    return gathered(
      engine,
      x,
      shape,
      perm.map((d) => strides[d]),
    );
  });
  define<{ begin: number | number[]; size: number | number[] }>(engine, tf.Slice, ({ x }, attributes) => {
    const [begin, shape] = tf.slice_util.parseSliceParams(x, attributes.begin, attributes.size);
    tf.slice_util.assertParamsValid(x, begin, shape);
    return slice(engine, x, begin, shape);
  });
  define<{
    begin: number[];
    end: number[];
    strides: number[];
    beginMask: number;
    endMask: number;
    ellipsisMask: number;
    newAxisMask: number;
    shrinkAxisMask: number;
  }>(engine, tf.StridedSlice, ({ x }, a) => {
    const info = tf.slice_util.sliceInfo(
      x.shape,
      a.begin,
      a.end,
      a.strides,
      a.beginMask,
      a.endMask,
      a.ellipsisMask,
      a.newAxisMask,
      a.shrinkAxisMask,
    );
    if (size(info.finalShapeSparse) === 0) return engine.make(info.finalShape, x.dtype);
    const strides = rowStrides(x.shape);
    const from = info.begin.reduce((sum, start, d) => sum + start * strides[d], 0);
    const y = gathered(
      engine,
      x,
      info.finalShapeSparse,
      strides.map((step, d) => step * info.strides[d]),
      from,
    );
    return y && { ...y, shape: info.finalShape };
  });
  define<{ dims: number | number[] }>(engine, tf.Reverse, ({ x }, { dims }) => {
    const reversed = tf.util.parseAxisParam(dims, x.shape);
    const strides = rowStrides(x.shape);
    const from = size(x.shape) > 0 ? reversed.reduce((sum, d) => sum + (x.shape[d] - 1) * strides[d], 0) : 0;
    return gathered(
      engine,
      x,
      x.shape,
      strides.map((step, d) => (reversed.includes(d) ? -step : step)),
      from,
    );
  });
  define<{ reps: number[] }>(engine, tf.Tile, ({ x }, { reps }) => {
    const strides = rowStrides(x.shape);
    const walk = x.shape.flatMap((n, d) => [reps[d], n]);
    const y = gathered(
      engine,
      x,
      walk,
      strides.flatMap((step) => [0, step]),
    );
    return y && { ...y, shape: x.shape.map((n, d) => n * reps[d]) };
  });
  define<{ paddings: [number, number][]; constantValue: number }>(engine, tf.PadV2, ({ x }, { paddings, constantValue }) => {
    const shape = paddings.map(([before, after], d) => before + x.shape[d] + after);
    const y = engine.make(shape, x.dtype);
    engine.kernels[x.dtype === 'float32' ? 'fill' : 'fillInt'](engine.handle(y), size(shape), constantValue);
    const strides = rowStrides(shape);
    const from = paddings.reduce((sum, [before], d) => sum + before * strides[d], 0);
    copy(engine, x.shape, { tensor: x, strides: rowStrides(x.shape) }, { tensor: y, strides, from }); // rank 6 at most, so it always fits
    return y;
  });
  define<{ axis: number }>(engine, tf.Concat, (inputs, attributes) => {
    const tensors = inputs as unknown as tf.TensorInfo[];
    const [axis] = tf.util.parseAxisParam(attributes.axis, tensors[0].shape);
    const shapes = tensors.map((tensor) => tensor.shape);
    tf.backend_util.assertParamsConsistent(shapes, axis);
    return concatenate(engine, tensors, axis, tf.backend_util.computeOutShape(shapes, axis));
  });
  define<{ axis: number }>(engine, tf.Pack, (inputs, { axis }) => {
    const tensors = inputs as unknown as tf.TensorInfo[];
    for (const { shape, dtype } of tensors) {
      tf.util.assertShapesMatch(tensors[0].shape, shape, 'stack: all tensors have one shape: ');
      tf.util.assert(tensors[0].dtype === dtype, () => 'stack: all tensors have one dtype');
    }
    const shape = [...tensors[0].shape];
    shape.splice(axis, 0, tensors.length);
    return concatenate(engine, tensors, axis, shape);
  });
  define<{ axis: number }>(engine, tf.Unpack, ({ value }, attributes) => {
    const [axis] = tf.util.parseAxisParam(attributes.axis, value.shape);
    const part = value.shape.with(axis, 1);
    const shape = value.shape.filter((_, d) => d !== axis);
    return Array.from({ length: value.shape[axis] }, (_, i) => ({
      ...slice(
        engine,
        value,
        part.map((_, d) => (d === axis ? i : 0)),
        part,
      )!,
      shape,
    }));
  });
  define<{ numOrSizeSplits: number | number[]; axis: number }>(engine, tf.SplitV, ({ x }, attributes) => {
    const [axis] = tf.util.parseAxisParam(attributes.axis, x.shape);
    const begin = x.shape.map(() => 0);
    return tf.backend_util.prepareSplitSize(x as tf.Tensor, attributes.numOrSizeSplits, axis).map((length) => {
      const part = slice(engine, x, begin, x.shape.with(axis, length))!;
      begin[axis] += length;
      return part;
    });
  });
}
