import * as tf from '@tensorflow/tfjs';
import { normals } from '../util/random.js';
import { type ModelConfig, parameterShapes } from './config.js';

/** Name → parameter, in the order of `parameterShapes`. */
export type Parameters = ReadonlyMap<string, tf.Variable>;

/**
 * Random parameters: normal with standard deviation 0.02, the projections that write to the residual stream scaled by 1/√(2·layers), norms 1, biases 0.
 * Source: GPT-2 (Radford et al. 2019, section 2.3); Hugging Face Llama's initializer_range.
 */
export function initialParameters(config: ModelConfig, seed: number): Map<string, tf.Variable> {
  const parameters = new Map<string, tf.Variable>();
  const residual = 0.02 / Math.sqrt(2 * config.num_hidden_layers);
  let stream = 0;
  for (const [name, shape] of parameterShapes(config)) {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = new Float32Array(size);
    if (shape.length === 2) {
      const deviation = /(o_proj|down_proj|c_proj)\.weight$/.test(name) ? residual : 0.02;
      values.set(normals(seed, stream, size).map((value) => value * deviation));
    } else if (name.endsWith('.weight')) {
      values.fill(1);
    }
    parameters.set(name, parameter(values, shape));
    stream++;
  }
  return parameters;
}

/** Parameters from host arrays, such as a checkpoint's. */
export function parametersFrom(config: ModelConfig, arrays: ReadonlyMap<string, Float32Array>): Map<string, tf.Variable> {
  const parameters = new Map<string, tf.Variable>();
  for (const [name, shape] of parameterShapes(config)) parameters.set(name, parameter(arrays.get(name)!, shape));
  return parameters;
}

function parameter(values: Float32Array, shape: number[]): tf.Variable {
  const tensor = tf.tensor(values, shape);
  const variable = tf.variable(tensor);
  tensor.dispose();
  return variable;
}
