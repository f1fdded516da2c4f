import * as tf from '@tensorflow/tfjs';
import type { NativeEngine } from '../backend.js';

interface Attributes {
  /** Heads of q and k. */
  rotatedHeads: number;
  headSize: number;
  theta: number;
  inverse: boolean;
  /** The result replaces x. */
  inPlace: boolean;
}

/** The kernel behind ops/rope.ts. */
export function registerRope(engine: NativeEngine): void {
  tf.registerKernel({
    kernelName: 'FourfoldRope',
    backendName: 'native',
    kernelFunc: ({ inputs, attrs }) => {
      const { x, positions } = inputs as { x: tf.TensorInfo; positions: tf.TensorInfo };
      const { rotatedHeads, headSize, theta, inverse, inPlace } = attrs as unknown as Attributes;
      const [B, T, W] = x.shape;
      const y = inPlace ? engine.reshaped(x, x.shape) : engine.make(x.shape);
      engine.kernels.rope(
        engine.handle(x),
        engine.handle(positions),
        engine.handle(y),
        B * T,
        W,
        rotatedHeads,
        headSize,
        Number(inverse),
        theta,
      );
      return y;
    },
  });
}
