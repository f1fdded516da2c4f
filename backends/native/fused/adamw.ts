import type { NativeEngine } from '../backend.js';
import { register } from './register.js';

interface Attributes {
  weightDecay: readonly number[];
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  step: number;
  maxGradNorm: number;
  gradientScale: number;
}

/**
 * The kernel behind ops/adamw.ts. Inputs parameter0, gradient0, moment10, moment20, parameter1, …; they are changed in place.
 * Its output is the squared norm of each gradient; when their sum is not finite, nothing was changed.
 */
export function registerAdamw(engine: NativeEngine): void {
  register<Attributes>('FourfoldAdamw', (inputs, { weightDecay, gradientScale, ...given }) => {
    const { learningRate, beta1, beta2, epsilon, step, maxGradNorm } = given;
    const items = new Float64Array(5 * weightDecay.length);
    for (let i = 0; i < weightDecay.length; i++) {
      const tensors = [inputs[`parameter${i}`], inputs[`gradient${i}`], inputs[`moment1${i}`], inputs[`moment2${i}`]];
      const size = tensors[0].shape.reduce((a, b) => a * b, 1);
      items.set([...tensors.map((tensor) => engine.handle(tensor)), size], 5 * i);
    }
    const settings = Float64Array.of(learningRate, beta1, beta2, epsilon, step, maxGradNorm, gradientScale);
    const squaredNorms = new Float64Array(weightDecay.length);
    engine.addon.optimizerStep(items, Float64Array.from(weightDecay), settings, squaredNorms);
    const norms = engine.make([weightDecay.length]);
    engine.addon.write(engine.handle(norms), Float32Array.from(squaredNorms));
    return [norms];
  });
}
