import * as tf from '@tensorflow/tfjs';
import type { Handle, NativeAddon } from './addon.js';

/** What tfjs holds for a tensor's data: a buffer of the addon, shared by every tensor made by reshape or clone. */
export interface NativeData {
  handle: Handle;
  dtype: tf.DataType;
  elements: number;
  references: number;
}

const BYTES: Record<string, number> = { float32: 4, int32: 4, bool: 4 };

/**
 * The tfjs backend whose tensors live in the addon's memory. Booleans lie there as int32 0 and 1, so that every kernel sees 4-byte elements.
 * Strings and complex numbers are errors.
 */
export class NativeEngine extends tf.KernelBackend {
  readonly kernels: NativeAddon['kernels'];
  private count = 0;

  constructor(readonly addon: NativeAddon) {
    super();
    this.kernels = addon.kernels;
  }

  /** A new tensor, contents undefined. */
  make(shape: readonly number[], dtype: tf.DataType = 'float32'): tf.TensorInfo {
    const elements = shape.reduce((a, b) => a * b, 1);
    return { dataId: this.create(elements, dtype, 1), shape: [...shape], dtype };
  }

  /** The same data under another shape. */
  reshaped(tensor: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
    this.incRef(tensor.dataId);
    return { dataId: tensor.dataId, shape: [...shape], dtype: tensor.dtype };
  }

  /** The number that names this tensor's buffer to the addon. */
  handle(tensor: tf.TensorInfo): Handle {
    return this.own(tensor.dataId).handle;
  }

  /** The same, or 0, which kernels take for an argument that is not there. */
  optional(tensor: tf.TensorInfo | undefined): Handle {
    return tensor ? this.handle(tensor) : 0;
  }

  /** What is held for `dataId`, after moving it here from the backend that was current when the tensor was made. */
  private own(dataId: tf.DataId): NativeData {
    if ((dataId as NativeData).handle === undefined) tf.engine().moveData(this, dataId);
    return dataId as NativeData;
  }

  private create(elements: number, dtype: tf.DataType, references: number): NativeData {
    const bytes = BYTES[dtype];
    if (bytes === undefined) throw new Error(`native: tensors of ${dtype} are not supported; use float32, int32 or bool`);
    this.count++;
    return { handle: this.addon.allocate(elements * bytes), dtype, elements, references };
  }

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): NativeData {
    const data = this.create(
      shape.reduce((a, b) => a * b, 1),
      dtype,
      1,
    );
    if (values) this.fill(data, values);
    return data;
  }

  override move(dataId: tf.DataId, values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType, references: number): void {
    const data = this.create(
      shape.reduce((a, b) => a * b, 1),
      dtype,
      references,
    );
    Object.assign(dataId, data);
    if (values) this.fill(dataId as NativeData, values);
  }

  private fill(data: NativeData, values: tf.backend_util.BackendValues): void {
    const typed = data.dtype === 'float32' ? Float32Array : Int32Array;
    const array = values instanceof typed ? values : typed.from(values as ArrayLike<number>);
    this.addon.write(data.handle, array);
  }

  override readSync(dataId: tf.DataId): tf.backend_util.BackendValues {
    const data = this.own(dataId);
    const values = data.dtype === 'float32' ? new Float32Array(data.elements) : new Int32Array(data.elements);
    this.addon.read(data.handle, values);
    return data.dtype === 'bool' ? Uint8Array.from(values) : values;
  }

  override async read(dataId: tf.DataId): Promise<tf.backend_util.BackendValues> {
    return this.readSync(dataId);
  }

  override disposeData(dataId: tf.DataId, force = false): boolean {
    const data = dataId as NativeData;
    if (data.handle === 0) return true;
    data.references--;
    if (!force && data.references > 0) return false;
    this.addon.release(data.handle);
    data.handle = 0;
    this.count--;
    return true;
  }

  override refCount(dataId: tf.DataId): number {
    return this.own(dataId).references;
  }

  override incRef(dataId: tf.DataId): void {
    this.own(dataId).references++;
  }

  decRef(dataId: tf.DataId): void {
    (dataId as NativeData).references--;
  }

  override numDataIds(): number {
    return this.count;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return true;
  }

  override async time(run: () => void): Promise<{ kernelMs: number }> {
    const start = performance.now();
    run();
    return { kernelMs: performance.now() - start };
  }

  override dispose(): void {}
}
