import * as tf from '@tensorflow/tfjs';
import type { NativeEngine } from '../backend.js';
import { define, isFloat, size } from './define.js';

/** Rows by index, and tensors of one value. */
export function registerIndexed(engine: NativeEngine): void {
  define<{ axis: number; batchDims?: number }>(engine, tf.GatherV2, ({ x, indices }, attributes) => {
    if (indices.dtype !== 'int32') return undefined;
    const [axis] = tf.util.parseAxisParam(attributes.axis, x.shape);
    const info = tf.backend_util.segment_util.collectGatherOpShapeInfo(
      x as tf.Tensor,
      indices as tf.Tensor,
      axis,
      attributes.batchDims ?? 0,
    );
    const y = engine.make(info.outputShape, x.dtype);
    const n = info.batchSize > 0 ? size(indices.shape) / info.batchSize : 0;
    engine.kernels.gather(
      engine.handle(x),
      engine.handle(indices),
      engine.handle(y),
      info.batchSize,
      info.outerSize,
      info.dimSize,
      n,
      info.sliceSize,
    );
    return y;
  });
  define<{ numSegments: number }>(engine, tf.UnsortedSegmentSum, ({ x, segmentIds }, { numSegments }) => {
    if (!isFloat(x) || segmentIds.dtype !== 'int32' || segmentIds.shape.length !== 1 || segmentIds.shape[0] !== x.shape[0])
      return undefined;
    const row = x.shape.slice(1);
    const y = engine.make([numSegments, ...row]);
    engine.kernels.segmentSum(engine.handle(x), engine.handle(segmentIds), engine.handle(y), segmentIds.shape[0], size(row), numSegments);
    return y;
  });
  define<{ depth: number; onValue: number; offValue: number; dtype: tf.DataType }>(
    engine,
    tf.OneHot,
    ({ indices }, { depth, onValue, offValue, dtype }) => {
      if (indices.dtype !== 'int32') return undefined;
      const y = engine.make([...indices.shape, depth], dtype);
      engine.kernels[dtype === 'float32' ? 'oneHot' : 'oneHotInt'](
        engine.handle(indices),
        engine.handle(y),
        size(indices.shape),
        depth,
        onValue,
        offValue,
      );
      return y;
    },
  );
  const filled = (shape: readonly number[], value: number, dtype: tf.DataType) => {
    const y = engine.make(shape, dtype);
    engine.kernels[dtype === 'float32' ? 'fill' : 'fillInt'](engine.handle(y), size(shape), value);
    return y;
  };
  define<{ shape: number[]; value: number | string; dtype?: tf.DataType }>(engine, tf.Fill, (_, { shape, value, dtype }) =>
    typeof value === 'string' ? undefined : filled(shape, Number(value), dtype ?? tf.util.inferDtype(value)),
  );
  define(engine, tf.ZerosLike, ({ x }) => filled(x.shape, 0, x.dtype));
  define(engine, tf.OnesLike, ({ x }) => filled(x.shape, 1, x.dtype));
  define<{ start: number; stop: number; step: number; dtype: 'float32' | 'int32' }>(engine, tf.Range, (_, { start, stop, step, dtype }) => {
    const down = start > stop ? -1 : 1;
    const each = step === 0 || step === undefined || (down < 0 && step === 1) ? down : step;
    const n = start === stop || Math.sign(each) !== down ? 0 : Math.abs(Math.ceil((stop - start) / each));
    // As tfjs: by repeated addition in the result's type, so that the bits are the same.
    const values = dtype === 'int32' ? new Int32Array(n) : new Float32Array(n);
    for (let i = 0; i < n; i++) values[i] = i === 0 ? start : values[i - 1] + each;
    return { dataId: engine.write(values, [n], dtype), shape: [n], dtype };
  });
}
