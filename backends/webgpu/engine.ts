import * as tf from '@tensorflow/tfjs';
import { UserError } from '../../util/errors.js';
import { type Bindings, type Pipeline, pipelineOf, present, type Shader, uniformsOf } from './shader.js';
import type { AdapterInfo, GpuBuffer, GpuDevice, TfjsBackend, TfjsBackendClass } from './types.js';

/** What was asked of the GPU since the counts were last taken. */
export interface WebgpuCounts {
  dispatches: number;
  submits: number;
  /** Buffers read back, and their bytes. */
  reads: number;
  readBytes: number;
  /** Tensors sent there, and their bytes. */
  uploads: number;
  uploadBytes: number;
}

const zero = (): WebgpuCounts => ({ dispatches: 0, submits: 0, reads: 0, readBytes: 0, uploads: 0, uploadBytes: 0 });

/** STORAGE | COPY_SRC | COPY_DST, and UNIFORM | COPY_DST: the numbers of the WebGPU specification. */
const STORAGE = 0x80 | 0x04 | 0x08;
const UNIFORM = 0x40 | 0x08;
/** Dispatches before what is recorded goes to the GPU; tfjs's own number. */
const BATCH = 15;

const elements = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** tfjs's backend with what our kernels need: writing into tensors, tensors of no elements, errors with names, counts. */
export interface WebgpuEngine extends TfjsBackend {
  /** A new tensor, contents undefined. */
  make(shape: readonly number[], dtype?: tf.DataType): tf.TensorInfo;
  /** The same data under another shape. */
  reshaped(tensor: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo;
  /** Runs a shader once; each binding is a tensor, or a buffer of `constant`. With `groups` of 0 nothing happens. */
  run(shader: Shader, bindings: Bindings, numbers: Record<string, number>, groups: number | readonly [number, number, number]): void;
  /** A buffer of these values that lives as long as the engine, made at the first call with this key. */
  constant(key: string, make: () => Float32Array): GpuBuffer;
  /** Puts a tensor that only a kernel needed back at its disposal. */
  release(tensor: tf.TensorInfo): void;
  takeCounts(): WebgpuCounts;
  /** Whether the GPU is gone, and with it every tensor. */
  readonly isLost: boolean;
}

/** Our backend on top of tfjs's class, which is only known when its package is loaded. */
export function createEngine(Base: TfjsBackendClass, device: GpuDevice, info: AdapterInfo): WebgpuEngine {
  class Engine extends Base implements WebgpuEngine {
    private counts = zero();
    private readonly pipelines = new Map<string, Pipeline>();
    private readonly constants = new Map<string, GpuBuffer>();
    private failure: UserError | undefined;
    /** The tensor that is being given memory, for the message when there is none. */
    private wanted = 'a buffer';
    isLost = false;

    constructor() {
      super(device, info);
      device.addEventListener('uncapturederror', (event) => {
        event.preventDefault();
        this.failure ??= refused(event.error, this.wanted, this.bufferManager);
      });
      device.lost.then(({ reason, message }) => {
        this.isLost = true;
        this.failure = new UserError(
          `webgpu: the GPU was lost (${[reason, message].filter(Boolean).join(': ')}), and with it everything in its memory; what was saved last is good: run the command again with --resume`,
        );
      });
    }

    /** Throws what the GPU said since the last call; a lost GPU stays lost. */
    private check(): void {
      const { failure } = this;
      if (!failure) return;
      if (!this.isLost) this.failure = undefined;
      throw failure;
    }

    make(shape: readonly number[], dtype: tf.DataType = 'float32'): tf.TensorInfo {
      return this.makeTensorInfo([...shape], dtype);
    }

    reshaped(tensor: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
      this.incRef(tensor.dataId);
      return { dataId: tensor.dataId, shape: [...shape], dtype: tensor.dtype };
    }

    release(tensor: tf.TensorInfo): void {
      this.disposeData(tensor.dataId);
    }

    constant(key: string, make: () => Float32Array): GpuBuffer {
      let buffer = this.constants.get(key);
      if (!buffer) {
        const values = make();
        buffer = this.bufferManager.acquireBuffer(values.byteLength, STORAGE);
        this.device.queue.writeBuffer(buffer, 0, values.buffer as ArrayBuffer);
        this.constants.set(key, buffer);
      }
      return buffer;
    }

    run(shader: Shader, bindings: Bindings, numbers: Record<string, number>, groups: number | readonly [number, number, number]): void {
      this.check();
      const [x, y, z] = typeof groups === 'number' ? spread(groups, this.device.limits.maxComputeWorkgroupsPerDimension) : groups;
      if (x * y * z === 0) return;
      let pipeline = this.pipelines.get(shader.name);
      if (!pipeline) {
        pipeline = pipelineOf(this.device, shader);
        this.check(); // a shader that does not compile is reported at once
        this.pipelines.set(shader.name, pipeline);
      }
      const buffers = Object.keys(present(shader.buffers)).map((name) => this.bufferOf(bindings[name]));
      const data = uniformsOf(shader, numbers);
      const uniforms = this.bufferManager.acquireBuffer(data.byteLength, UNIFORM);
      this.device.queue.writeBuffer(uniforms, 0, data);
      this.uniformPendingDisposal.push(uniforms);
      const group = this.device.createBindGroup({
        layout: pipeline.layout,
        entries: [...buffers, uniforms].map((buffer, binding) => ({ binding, resource: { buffer } })),
      });
      this.ensureCommandEncoderReady();
      this.computePassEncoder ??= this.commandEncoder.beginComputePass();
      this.computePassEncoder.setPipeline(pipeline.pipeline);
      this.computePassEncoder.setBindGroup(0, group);
      this.computePassEncoder.dispatchWorkgroups(x, y, z);
      this.counts.dispatches++;
      if (++this.dispatchCountInPass >= BATCH) {
        this.endComputePassEncoder();
        this.submitQueue();
      }
    }

    private bufferOf(binding: tf.TensorInfo | GpuBuffer | undefined): GpuBuffer {
      if (!binding) throw new Error('webgpu: a shader lacks a binding');
      if (!('dataId' in binding)) return binding;
      const { dataId } = binding;
      if (!this.tensorMap.has(dataId)) tf.engine().moveData(this, dataId); // made on another backend
      this.uploadToGPU(dataId);
      this.commandQueueOwnedIds.add(dataId);
      return this.tensorMap.get(dataId).resource!;
    }

    takeCounts(): WebgpuCounts {
      const { counts } = this;
      this.counts = zero();
      return counts;
    }

    override recordAndSubmit(...program: unknown[]): void {
      this.check();
      this.counts.dispatches++;
      super.recordAndSubmit(...program);
    }

    override submitQueue(): void {
      this.counts.submits++;
      super.submitQueue();
    }

    /** A tensor of no elements gets a buffer all the same, since WebGPU binds none that is empty. */
    override uploadToGPU(dataId: tf.DataId): void {
      this.check();
      const data = this.tensorMap.get(dataId);
      if (data.resource) return;
      const bytes = 4 * elements(data.shape);
      if (bytes === 0) {
        data.values = null;
        data.resource = this.bufferManager.acquireBuffer(4, STORAGE);
        return;
      }
      this.wanted = `[${data.shape}] of ${data.dtype}, ${mib(bytes)}`;
      refuseTooLarge(this.wanted, bytes, this.device.limits);
      if (data.values) {
        this.counts.uploads++;
        this.counts.uploadBytes += bytes;
      }
      super.uploadToGPU(dataId);
      this.check(); // memory that is not there is reported at once
    }

    override async getBufferData(buffer: GpuBuffer): Promise<ArrayBuffer> {
      this.check();
      this.counts.reads++;
      this.counts.readBytes += buffer.size;
      let data: ArrayBuffer;
      try {
        data = await super.getBufferData(buffer);
      } catch (error) {
        await Promise.resolve(); // the promise of a loss is settled by now
        this.check();
        throw error;
      }
      this.check();
      return data;
    }

    override async read(dataId: tf.DataId): Promise<tf.backend_util.BackendValues> {
      return this.empty(dataId) ?? super.read(dataId);
    }

    override readSync(dataId: tf.DataId): tf.backend_util.BackendValues {
      return this.empty(dataId) ?? super.readSync(dataId);
    }

    private empty(dataId: tf.DataId): tf.TypedArray | undefined {
      const { shape, dtype } = this.tensorMap.get(dataId);
      if (dtype === 'string' || dtype === 'complex64' || elements(shape) > 0) return undefined;
      return tf.util.getTypedArrayFromDType(dtype, 0);
    }

    /** Nothing is cached: a kernel may write into the tensor, and the next reader wants what is there then. */
    override convertAndCacheOnCPU(_: tf.DataId, values: tf.backend_util.BackendValues): tf.backend_util.BackendValues {
      return values;
    }
  }
  return new Engine();
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 3 : 0)} MiB`;
const SMALLER = 'make batch_size or context_length smaller (gradient_accumulation_steps larger for the same step), or use device: native';

/** One dimension of WebGPU takes 65,535 groups: the rest goes into the second. Shaders count in `group`. */
function spread(groups: number, most: number): [number, number, number] {
  return groups <= most ? [groups, 1, 1] : [most, Math.ceil(groups / most), 1];
}

function refuseTooLarge(tensor: string, bytes: number, limits: Record<string, number>): void {
  for (const name of ['maxStorageBufferBindingSize', 'maxBufferSize']) {
    if (bytes <= limits[name]) continue;
    throw new UserError(`webgpu: a tensor must fit into ${name}, ${mib(limits[name])} on this adapter; received ${tensor}; ${SMALLER}`);
  }
}

/** What an error that no call waited for says to a user. */
function refused(error: { readonly message: string }, wanted: string, memory: TfjsBackend['bufferManager']): UserError {
  const message = error.message.split('\n').slice(0, 3).join(' ').trim();
  if (error.constructor.name !== 'GPUOutOfMemoryError') return new UserError(`webgpu: the GPU refused a command: ${message}`);
  return new UserError(
    `webgpu: the GPU has no memory for ${wanted}, with ${mib(memory.numBytesUsed)} in tensors and ${mib(memory.numBytesAllocated)} allocated; ${SMALLER}. What was saved last is good`,
  );
}
