import * as tf from '@tensorflow/tfjs';

/** Plain numbers, booleans and strings that a kernel takes beside its tensors. */
export type KernelAttributes = Record<string, number | boolean | string | readonly number[] | undefined>;

/** Whether the current backend registered a kernel of this name. */
export function hasKernel(name: string): boolean {
  return tf.getKernel(name, tf.getBackend()) !== undefined;
}

/**
 * Calls a kernel of the current backend directly: nothing goes on the tape, and no copy of an input is kept.
 * @throws Error when the backend has no such kernel: ask `hasKernel` first.
 */
export function runKernel(name: string, inputs: Record<string, tf.Tensor | undefined>, attributes: KernelAttributes = {}): tf.Tensor[] {
  const kernel = tf.getKernel(name, tf.getBackend());
  if (!kernel) throw new Error(`runKernel: the ${tf.getBackend()} backend has no kernel ${name}`);
  const engine = tf.engine();
  const infos = kernel.kernelFunc({
    inputs: inputs as tf.NamedTensorInfoMap,
    attrs: attributes as unknown as tf.NamedAttrMap,
    backend: engine.backend,
  });
  return (Array.isArray(infos) ? infos : [infos]).map((info) => engine.makeTensorFromTensorInfo(info, engine.backend));
}

/** A second handle on the same data, which is freed when both are disposed of. */
export function share(tensor: tf.Tensor): tf.Tensor {
  const engine = tf.engine();
  engine.backend.incRef(tensor.dataId);
  return engine.makeTensorFromTensorInfo({ dataId: tensor.dataId, shape: tensor.shape, dtype: tensor.dtype }, engine.backend);
}

/** Computes without a tape: what is made on the way to the result is freed, and nothing is kept for gradients. */
export function offTape<T extends tf.TensorContainer>(compute: () => T): T {
  // The engine's own counter, which its type declarations keep private: inside a kernel no tape is on.
  const { state } = tf.engine() as unknown as { state: { kernelDepth: number } };
  return tf.tidy(() => {
    state.kernelDepth++;
    try {
      return compute();
    } finally {
      state.kernelDepth--;
    }
  });
}

type Backward = (dys: tf.Tensor[], kept: tf.Tensor[]) => Record<string, tf.Tensor>;

/** The engine's own method, which its type declarations keep private. */
interface TapeEngine {
  isTapeOn(): boolean;
  addTapeNode(
    name: string,
    inputs: tf.NamedTensorMap,
    outputs: tf.Tensor[],
    gradient: (dys: tf.Tensor[]) => Record<string, () => tf.Tensor>,
    saved: { dispose(): void }[],
    attributes: object,
  ): void;
}

/** Whether gradients are being recorded, so that an op may as well compute its own at once. */
export function tapeIsOn(): boolean {
  return (tf.engine() as unknown as TapeEngine).isTapeOn();
}

/** How a tensor is made again from others. */
interface Recipe {
  from: tf.Tensor[];
  make(from: tf.Tensor[]): tf.Tensor;
}

const recipes = new WeakMap<tf.Tensor, Recipe>();

/**
 * Says how an output is made again, at little cost, from what its own node keeps anyway: a later node that needs it in its backward pass keeps those
 * instead of it.
 */
export function remade(output: tf.Tensor, from: tf.Tensor[], make: Recipe['make']): void {
  if (tapeIsOn()) recipes.set(output, { from, make });
}

/**
 * Puts one node on the tape, if one is on.
 * @param inputs   the tensors whose gradients flow over the tape: activations, and parameters without a gradient buffer of their own.
 * @param outputs  what the node made; returned.
 * @param kept     what `backward` needs; held by reference count until it has run, so that their handles may be disposed of at once.
 * @param backward the gradient of each input, as a fresh tensor each; `dys`, `kept` and what it makes besides are released after it.
 */
export function onTape(
  name: string,
  inputs: Record<string, tf.Tensor>,
  outputs: tf.Tensor[],
  kept: tf.Tensor[],
  backward: Backward,
): tf.Tensor[] {
  const engine = tf.engine() as unknown as TapeEngine;
  if (!engine.isTapeOn()) return outputs;
  const backend = tf.engine().backend;
  const held = kept.map((tensor): Recipe => recipes.get(tensor) ?? { from: [tensor], make: ([tensor]) => tensor });
  for (const { from } of held) for (const { dataId } of from) backend.incRef(dataId);
  let holding = true;
  const release = () => {
    if (!holding) return;
    holding = false;
    for (const { from } of held) for (const { dataId } of from) backend.disposeData(dataId);
  };
  const handle = (tensor: tf.Tensor) => {
    backend.incRef(tensor.dataId);
    return tf.engine().makeTensorFromTensorInfo({ dataId: tensor.dataId, shape: tensor.shape, dtype: tensor.dtype }, backend);
  };
  const gradient = (dy: tf.Tensor | tf.Tensor[]) => {
    const dys = Array.isArray(dy) ? dy : [dy];
    const gradients = tf.tidy(() =>
      backward(
        dys,
        held.map(({ from, make }) => make(from.map(handle))),
      ),
    );
    for (const tensor of dys) tensor.dispose();
    release();
    return Object.fromEntries(Object.entries(gradients).map(([input, value]) => [input, () => value]));
  };
  engine.addTapeNode(name, inputs, outputs, gradient, [{ dispose: release }], {});
  return outputs;
}
