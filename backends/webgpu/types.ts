/** What we use of WebGPU and of tfjs's backend for it, which are not there when fourfold is built. */
import type * as tf from '@tensorflow/tfjs';

export interface GpuBuffer {
  readonly size: number;
  readonly usage: number;
}

export interface ComputePass {
  setPipeline(pipeline: object): void;
  setBindGroup(index: number, group: object): void;
  dispatchWorkgroups(x: number, y: number, z: number): void;
  end(): void;
}

export interface GpuDevice {
  readonly limits: Record<string, number>;
  readonly lost: Promise<{ reason: string; message: string }>;
  readonly queue: { writeBuffer(buffer: GpuBuffer, offset: number, data: ArrayBuffer | Float32Array | Int32Array): void };
  addEventListener(type: 'uncapturederror', listener: (event: GpuErrorEvent) => void): void;
  createBindGroup(descriptor: object): object;
  createBindGroupLayout(descriptor: object): object;
  createComputePipeline(descriptor: object): object;
  createPipelineLayout(descriptor: object): object;
  createShaderModule(descriptor: { code: string }): object;
  destroy(): void;
}

export interface GpuErrorEvent {
  readonly error: { readonly message: string };
  preventDefault(): void;
}

export interface AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
}

export interface GpuAdapter {
  readonly info: AdapterInfo;
  readonly limits: Record<string, number>;
  requestDevice(descriptor: { requiredLimits: Record<string, number> }): Promise<GpuDevice>;
}

/** The package `webgpu`. */
export interface Dawn {
  globals: object;
  create(flags: string[]): { requestAdapter(options?: { powerPreference: string }): Promise<GpuAdapter | null> };
}

/** What tfjs holds for a tensor's data: values that are not uploaded yet, or a buffer. */
export interface TensorData {
  dtype: tf.DataType;
  shape: number[];
  values: tf.backend_util.BackendValues | null;
  resource?: GpuBuffer | null;
}

/** What we use and override of tfjs's backend. */
export interface TfjsBackend extends tf.KernelBackend {
  readonly device: GpuDevice;
  readonly tensorMap: { get(dataId: tf.DataId): TensorData; has(dataId: tf.DataId): boolean };
  readonly bufferManager: {
    readonly numBytesUsed: number;
    readonly numBytesAllocated: number;
    numFreeBuffers: number;
    /** Buffers of no tensor, by size and usage. */
    readonly freeBuffers: Map<string, GpuBuffer[]>;
    acquireBuffer(bytes: number, usage: number, mapped?: boolean, reuse?: boolean): GpuBuffer;
    releaseBuffer(buffer: GpuBuffer, reuse?: boolean): void;
  };
  /** Data that recorded commands use: freed after they are submitted. */
  readonly commandQueueOwnedIds: WeakSet<object>;
  /** Buffers that go back to the manager after the next submission. */
  readonly uniformPendingDisposal: GpuBuffer[];
  readonly commandEncoder: { beginComputePass(): ComputePass } | null;
  computePassEncoder: ComputePass | null;
  dispatchCountInPass: number;
  makeTensorInfo(shape: number[], dtype: tf.DataType): tf.TensorInfo;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  uploadToGPU(dataId: tf.DataId): void;
  getBufferData(buffer: GpuBuffer): Promise<ArrayBuffer>;
  convertAndCacheOnCPU(dataId: tf.DataId, values: tf.backend_util.BackendValues): tf.backend_util.BackendValues;
  makeUniforms(numbers: unknown): object;
  recordAndSubmit(...program: unknown[]): void;
  write(values: tf.backend_util.BackendValues | null, shape: number[], dtype: tf.DataType): tf.DataId;
  read(dataId: tf.DataId): Promise<tf.backend_util.BackendValues>;
  readSync(dataId: tf.DataId): tf.backend_util.BackendValues;
}

export type TfjsBackendClass = new (device: GpuDevice, info: AdapterInfo) => TfjsBackend;

/** The package `@tensorflow/tfjs-backend-webgpu`. */
export interface TfjsWebgpu {
  WebGPUBackend: TfjsBackendClass;
}
