import * as tf from '@tensorflow/tfjs';
import type { NativeEngine } from '../backend.js';

/** The kernel behind ops/rope.ts. */
export function registerRope(engine: NativeEngine): void {
  tf.registerKernel({
    kernelName: 'FourfoldRope',
    backendName: 'native',
    kernelFunc: ({ inputs, attrs }) => {
      const { x, positions } = inputs as { x: tf.TensorInfo; positions: tf.TensorInfo };
      const { rotatedHeads, headSize, theta, inverse } = attrs as unknown as {
        rotatedHeads: number;
        headSize: number;
        theta: number;
        inverse: boolean;
      };
      const [B, T, W] = x.shape;
      const y = engine.make(x.shape);
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
