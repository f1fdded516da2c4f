/**
 * The conformance harness: one test body, run on every device that is there, against plain Float64Array loops.
 *
 *   onEveryDevice('gives the softmax of each row', async (device) => {
 *     const x = randomTensor([3, 17], 1);
 *     const { value, gradients } = gradientsOf(() => op(x), [x], dy);
 *     await assertClose(value, oracle(await float64(x)), { K: 17 });
 *   });
 */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { type Device, nativeMissing, useDevice } from '../../backends/device.js';
import { loadAddon } from '../../backends/native/addon.js';
import { tensorflowMissing } from '../../backends/tensorflow.js';
import { webgpuMissing } from '../../backends/webgpu.js';
import { RandomStream } from '../../util/random.js';
import { counted, noteAbsent, noteError } from './conformance-table.js';

export interface TestDevice {
  name: Device;
  /** The instruction set, on native. */
  isa?: string;
}

const ALL: Device[] = ['native', 'tensorflow', 'webgpu', 'wasm', 'cpu'];
/** Why a device that is not always there is not. */
const missing: Partial<Record<Device, () => string | undefined>> = {
  native: nativeMissing,
  tensorflow: tensorflowMissing,
  webgpu: webgpuMissing,
};
const reasons = new Map<Device, string | undefined>();
let quiet = false;

/** The devices that FOURFOLD_TEST_DEVICES (comma-separated) asks for: these must be there. */
const wantedDevices = () => process.env.FOURFOLD_TEST_DEVICES?.split(',');

/** Its packages may be there without a GPU. */
async function noAdapter(): Promise<string | undefined> {
  try {
    await useDevice('webgpu');
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Makes the device current; returns why it cannot be, and says so once. */
async function start(device: Device): Promise<string | undefined> {
  if (!reasons.has(device)) {
    const reason = missing[device]?.() ?? (device === 'webgpu' ? await noAdapter() : undefined);
    reasons.set(device, reason);
    if (reason) {
      console.warn(`      ${device} is skipped: ${reason}`);
      noteAbsent(device, reason);
    }
  }
  const reason = reasons.get(device);
  if (reason && wantedDevices()?.includes(device)) throw new Error(`${device} is asked for and not there: ${reason}`);
  if (reason) return reason;
  if (!quiet) {
    quiet = true;
    const cpu = tf.findBackend('cpu') as unknown as { firstUse: boolean };
    cpu.firstUse = false; // no advice about other backends
  }
  await useDevice(device, { threads: 2 });
  return undefined;
}

/**
 * One mocha test a device. Tensors that the body makes are disposed of after it; what it keeps or loses elsewhere fails it.
 * FOURFOLD_TEST_DEVICES restricts the devices.
 */
export function onDevices(devices: readonly Device[], name: string, body: (device: TestDevice) => void | Promise<void>): void {
  const wanted = wantedDevices();
  for (const device of devices) {
    if (wanted && !wanted.includes(device)) continue;
    it(`${name} [${device}]`, async function () {
      if (await start(device)) return this.skip();
      const before = tf.memory().numTensors;
      tf.engine().startScope(name);
      await counted(this.test!.parent!.fullTitle(), device, async () => {
        try {
          await body({ name: device, isa: device === 'native' ? loadAddon().addon?.isa : undefined });
        } finally {
          tf.engine().endScope();
        }
        assert.equal(tf.memory().numTensors, before, 'the test leaves as many tensors as it found');
      });
    });
  }
}

/** One mocha test a device. A device that is not there is skipped by name, and the reason is printed. */
export function onEveryDevice(name: string, body: (device: TestDevice) => void | Promise<void>): void {
  onDevices(ALL, name, body);
}

/** The same for whole steps and answers, without `cpu`: what it would compute, tfjs's operations one by one, `wasm` does in less time. */
export function onTrainingDevices(name: string, body: (device: TestDevice) => void | Promise<void>): void {
  onDevices(
    ALL.filter((device) => device !== 'cpu'),
    name,
    body,
  );
}

/** One mocha test on native alone. */
export function onNative(name: string, body: (device: TestDevice) => void | Promise<void>): void {
  onDevices(['native'], name, body);
}

/** One mocha test on webgpu alone. */
export function onWebgpu(name: string, body: (device: TestDevice) => void | Promise<void>): void {
  onDevices(['webgpu'], name, body);
}

/** Asserts that what `run` makes has the same bits with 1, 2 and 3 threads. Only on native. */
export async function assertSameBitsOnAnyThreads(run: () => tf.Tensor | tf.Tensor[]): Promise<void> {
  const addon = loadAddon().addon!;
  const before = addon.threads();
  let first: Uint8Array[] | undefined;
  try {
    for (const threads of [1, 2, 3]) {
      addon.threads(threads);
      const bits = await Promise.all([run()].flat().map(bitsOf));
      first ??= bits;
      bits.forEach((value, i) => {
        assert.ok(Buffer.compare(value, first![i]) === 0, `output ${i} has the same bits with ${threads} threads as with 1`);
      });
    }
  } finally {
    addon.threads(before);
  }
}

/** The bytes of a tensor. */
export async function bitsOf(tensor: tf.Tensor): Promise<Uint8Array> {
  const data = await tensor.data();
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
}

/** Relative rounding of one operation. */
export const EPSILON = { float32: 2 ** -23, bf16: 2 ** -8 };

export interface Tolerance {
  /** Terms of the sum behind one element. */
  K?: number;
  /** What the products were rounded to. */
  dtype?: keyof typeof EPSILON;
  /** Size of the terms; default: the largest finite |expected|, at least 1e-30. */
  scale?: number;
  /** Roundings a term. */
  c?: number;
  /** What is compared, for the message. */
  name?: string;
}

/**
 * Asserts |actual − expected| ≤ c·eps·√K·scale for each element; NaN and infinities must be the same.
 * @param actual a tensor or an array of as many elements as `expected`.
 */
export async function assertClose(
  actual: tf.Tensor | ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance = {},
): Promise<void> {
  const { K = 1, dtype = 'float32', c = 4, name = 'value' } = tolerance;
  const values = actual instanceof tf.Tensor ? await actual.data() : actual;
  assert.equal(values.length, expected.length, `${name}: elements`);
  const scale = tolerance.scale ?? largest(expected);
  const limit = c * EPSILON[dtype] * Math.sqrt(Math.max(1, K)) * scale;
  let worst = -1;
  let worstError = limit;
  let largestError = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [values[i], expected[i]];
    if (Object.is(a, e) || a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    const error = Math.abs(a - e);
    if (error > largestError) largestError = error;
    if (error <= worstError) continue; // false for NaN
    worst = i;
    worstError = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  noteError(largestError / limit, c);
  if (worst >= 0) {
    const shape = actual instanceof tf.Tensor ? ` of [${actual.shape}]` : '';
    assert.fail(
      `${name}: element ${worst}${shape} is ${values[worst]}, should be ${expected[worst]}; off by ${worstError}, allowed ${limit}`,
    );
  }
}

function largest(values: ArrayLike<number>): number {
  let scale = 1e-30;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size > scale && Number.isFinite(size)) scale = size;
  }
  return scale;
}

/** The value of `fn(...inputs)` and the gradient of Σ dy·value for each input, all on the current device. `dy` may be left out for a scalar. */
export function gradientsOf(
  fn: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: tf.Tensor[],
  dy?: tf.Tensor,
): { value: tf.Tensor; gradients: tf.Tensor[] } {
  const { value, grads } = tf.valueAndGrads(fn)(inputs, dy?.clone()); // the first node to run backwards frees it
  return { value, gradients: grads };
}

/** Normal values, rounded to float32; the same for the same seed. */
export function randomArray(
  size: number | readonly number[],
  seed: number,
  options: { scale?: number; stream?: number } = {},
): Float32Array {
  const random = new RandomStream(seed, options.stream ?? 0);
  const scale = options.scale ?? 1;
  return Float32Array.from({ length: elements(size) }, () => random.normal() * scale);
}

/** Uniform integers in [low, high). */
export function randomIntegers(size: number | readonly number[], seed: number, low: number, high: number): Int32Array {
  const random = new RandomStream(seed, 1);
  return Int32Array.from({ length: elements(size) }, () => low + random.below(high - low));
}

/** A tensor of `randomArray` on the current device. */
export function randomTensor(shape: readonly number[], seed: number, options: { scale?: number; stream?: number } = {}): tf.Tensor {
  return tf.tensor(randomArray(shape, seed, options), [...shape], 'float32');
}

/** A tensor's values in double precision, for an oracle. */
export async function float64(tensor: tf.Tensor): Promise<Float64Array> {
  return Float64Array.from(await tensor.data());
}

function elements(size: number | readonly number[]): number {
  return typeof size === 'number' ? size : size.reduce((a, b) => a * b, 1);
}

/**
 * The gradients of Σ dy·oracle(inputs) by central differences: what checks an oracle's own gradient.
 * @param oracle pure: inputs → output. Error about step² · third derivative.
 */
export function finiteDifferences(
  oracle: (...inputs: Float64Array[]) => Float64Array,
  inputs: readonly Float64Array[],
  dy: ArrayLike<number>,
  step = 1e-5,
): Float64Array[] {
  const loss = (changed: Float64Array[]) => oracle(...changed).reduce((total, value, i) => total + value * dy[i], 0);
  return inputs.map((input, which) =>
    input.map((value, i) => {
      const at = (x: number) => loss(inputs.map((other, j) => (j === which ? other.with(i, x) : other)));
      return (at(value + step) - at(value - step)) / (2 * step);
    }),
  );
}

/** Asserts that an oracle's gradients are those of its value. */
export function assertGradientOf(
  oracle: (...inputs: Float64Array[]) => Float64Array,
  gradients: readonly Float64Array[],
  inputs: readonly Float64Array[],
  dy: ArrayLike<number>,
  tolerance = 1e-6,
): void {
  finiteDifferences(oracle, inputs, dy).forEach((expected, which) => {
    const scale = Math.max(1, largest(expected));
    expected.forEach((value, i) => {
      const error = Math.abs(gradients[which][i] - value);
      assert.ok(
        error <= tolerance * scale,
        `oracle: gradient of input ${which} at ${i} is ${gradients[which][i]}, differences say ${value}`,
      );
    });
  });
}
