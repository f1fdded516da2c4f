import * as tf from '@tensorflow/tfjs';
import type { NativeEngine } from '../backend.js';
import { define, isFloat, size } from './define.js';

interface Axes {
  axis?: number | number[];
  reductionIndices?: number | number[];
  keepDims?: boolean;
}

/** Neighbouring dimensions that are reduced together: x is [outer, length, inner]. */
interface Group {
  outer: number;
  length: number;
  inner: number;
}

/** The reductions, last dimensions first, that together reduce `axes`; each sees what the one before it left. */
function groupsOf(shape: readonly number[], axes: readonly number[]): Group[] {
  const left = [...shape];
  const groups: Group[] = [];
  for (let d = shape.length - 1; d >= 0; d--) {
    if (!axes.includes(d)) continue;
    const end = d + 1;
    while (d > 0 && axes.includes(d - 1)) d--;
    groups.push({ outer: size(left.slice(0, d)), length: size(left.slice(d, end)), inner: size(left.slice(end)) });
    left.fill(1, d, end);
  }
  return groups.length > 0 ? groups : [{ outer: size(shape), length: 1, inner: 1 }];
}

/** Sums, extremes and the like over any dimensions. */
export function registerReductions(engine: NativeEngine): void {
  const reduce = (kernel: string, x: tf.TensorInfo, { axis, reductionIndices, keepDims }: Axes, dtype: tf.DataType) => {
    const axes = tf.util.parseAxisParam(axis ?? reductionIndices ?? (null as unknown as number[]), x.shape);
    const [kept] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
    const shape = keepDims ? tf.backend_util.expandShapeToKeepDim(kept, axes) : kept;
    let from: tf.TensorInfo = x;
    const groups = groupsOf(x.shape, axes);
    groups.forEach(({ outer, length, inner }, i) => {
      const to = engine.make(i === groups.length - 1 ? shape : [outer * inner], dtype);
      engine.kernels[kernel](engine.handle(from), engine.handle(to), outer, length, inner);
      if (from !== x) engine.disposeData(from.dataId);
      from = to;
    });
    return from;
  };
  const floatsAndInts = (name: string, kernel: string, intType: (x: tf.TensorInfo) => tf.DataType) =>
    define<Axes>(engine, name, ({ x }, attributes) =>
      isFloat(x) ? reduce(kernel, x, attributes, 'float32') : reduce(`${kernel}Int`, x, attributes, intType(x)),
    );
  floatsAndInts(tf.Sum, 'sum', () => 'int32');
  floatsAndInts(tf.Prod, 'prod', () => 'int32');
  floatsAndInts(tf.Max, 'max', (x) => x.dtype);
  floatsAndInts(tf.Min, 'min', (x) => x.dtype);
  define<Axes>(engine, tf.Mean, ({ x }, attributes) => {
    if (!isFloat(x)) return undefined;
    const total = reduce('sum', x, attributes, 'float32');
    const n = size(total.shape);
    if (n > 0 && size(x.shape) > 0) engine.kernels.divideBy(engine.handle(total), engine.handle(total), n, size(x.shape) / n);
    return total;
  });
  define<Axes>(engine, tf.All, ({ x }, attributes) => (x.dtype === 'bool' ? reduce('all', x, attributes, 'bool') : undefined));
  define<Axes>(engine, tf.Any, ({ x }, attributes) => (x.dtype === 'bool' ? reduce('any', x, attributes, 'bool') : undefined));
  const best = (name: string, kernel: string) =>
    define<{ axis: number }>(engine, name, ({ x }, { axis }) => {
      const [one] = tf.util.parseAxisParam(axis, x.shape); // tfjs takes the first alone
      return reduce(isFloat(x) ? kernel : `${kernel}Int`, x, { axis: one }, 'int32');
    });
  best(tf.ArgMax, 'argMax');
  best(tf.ArgMin, 'argMin');
  define<{ axis: number; exclusive: boolean; reverse: boolean }>(engine, tf.Cumsum, ({ x }, { axis, exclusive, reverse }) => {
    if (x.dtype === 'bool') return undefined;
    const [d] = tf.util.parseAxisParam(axis, x.shape);
    const y = engine.make(x.shape, x.dtype);
    const [outer, inner] = [size(x.shape.slice(0, d)), size(x.shape.slice(d + 1))];
    const kernel = isFloat(x) ? 'cumsum' : 'cumsumInt';
    engine.kernels[kernel](engine.handle(x), engine.handle(y), outer, x.shape[d], inner, Number(exclusive), Number(reverse));
    return y;
  });
}
