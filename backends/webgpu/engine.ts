import * as tf from '@tensorflow/tfjs';
import { UserError } from '../../util/errors.js';
import { emptyPlan, type Plan, watched } from './plan.js';
import { type Bindings, type Pipeline, pipelineOf, present, type Shader, uniformsOf } from './shader.js';
import type { AdapterInfo, ComputePass, GpuBuffer, GpuDevice, TensorData, TfjsBackend, TfjsBackendClass } from './types.js';

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
const WAS_READ = 'a tensor was read';
/** tfjs's flag for computing with small tensors on the processor. */
const ON_HOST = 'WEBGPU_CPU_FORWARD';
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
  /** Puts values into a tensor's buffer, after the commands that were recorded before. */
  overwrite(tensor: tf.TensorInfo, values: Float32Array | Int32Array): void;
  /** From here to `recordEnd` all commands are written down, too. */
  recordBegin(): Plan;
  /** @returns why the plan cannot be replayed, or undefined. */
  recordEnd(): string | undefined;
  /** Says that the plan that is being recorded cannot be replayed. */
  spoil(reason: string): void;
  /** Sends the plan's commands again; false when a tensor that it used lies elsewhere by now, or the GPU is another one. */
  replay(plan: Plan): boolean;
  /** Gives back what the plan kept. */
  forget(plan: Plan): void;
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
    private recording: Plan | undefined;
    private readonly plans = new Set<Plan>();
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
      (this.recording?.numbers ?? this.uniformPendingDisposal).push(uniforms);
      const group = this.device.createBindGroup({
        layout: pipeline.layout,
        entries: [...buffers, uniforms].map((buffer, binding) => ({ binding, resource: { buffer } })),
      });
      const pass = this.pass();
      pass.setPipeline(pipeline.pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(x, y, z);
      this.counts.dispatches++;
      if (++this.dispatchCountInPass >= BATCH) {
        this.endComputePassEncoder();
        this.submitQueue();
      }
    }

    private pass(): ComputePass {
      this.ensureCommandEncoderReady();
      if (!this.computePassEncoder) {
        const pass = this.commandEncoder!.beginComputePass();
        this.computePassEncoder = this.recording ? watched(pass, this.recording) : pass;
      }
      return this.computePassEncoder;
    }

    /** Sends what is recorded to the GPU. */
    private flush(): void {
      if (!this.commandEncoder) return;
      this.endComputePassEncoder();
      this.submitQueue();
    }

    overwrite({ dataId, shape }: tf.TensorInfo, values: Float32Array | Int32Array): void {
      if (elements(shape) === 0) return;
      if (this.recording && !this.recording.born.has(dataId)) this.spoil('a tensor from before the recording was written to');
      const buffer = this.bufferOf({ dataId, shape, dtype: 'float32' });
      this.flush();
      this.device.queue.writeBuffer(buffer, 0, values);
      this.recording?.commands.push({ buffer, values: values.slice() });
      this.counts.uploads++;
      this.counts.uploadBytes += values.byteLength;
    }

    recordBegin(): Plan {
      if (this.recording) throw new Error('webgpu record: a plan is being recorded already');
      this.flush();
      this.recording = emptyPlan();
      // Small tensors would be computed with here, and what came of them be the same in every replay.
      tf.env().set(ON_HOST, false);
      return this.recording;
    }

    recordEnd(): string | undefined {
      const { recording: plan } = this;
      if (!plan) throw new Error('webgpu record: no plan is being recorded');
      this.flush();
      this.recording = undefined;
      tf.env().set(ON_HOST, true);
      const buffers = new Set(plan.used.values());
      for (const [dataId, buffer] of plan.used) {
        if (this.tensorMap.has(dataId)) plan.alive.push([dataId, buffer]);
        else if (!plan.born.has(dataId)) plan.spoiled ??= 'a tensor from before the recording was disposed of';
      }
      for (const free of this.bufferManager.freeBuffers.values()) {
        for (const buffer of free.filter((buffer) => buffers.has(buffer))) {
          free.splice(free.indexOf(buffer), 1);
          plan.owned.push(buffer);
          this.bufferManager.numFreeBuffers--;
        }
      }
      plan.used.clear();
      plan.born.clear();
      this.plans.add(plan);
      return plan.spoiled;
    }

    spoil(reason: string): void {
      if (this.recording) this.recording.spoiled ??= reason;
    }

    replay(plan: Plan): boolean {
      this.check();
      if (!this.plans.has(plan) || !plan.alive.every(([dataId, buffer]) => this.lies(dataId, buffer))) return false;
      this.flush();
      for (const command of plan.commands) {
        if ('values' in command) {
          this.flush();
          this.device.queue.writeBuffer(command.buffer, 0, command.values);
          continue;
        }
        const pass = this.pass();
        pass.setPipeline(command.pipeline);
        pass.setBindGroup(0, command.group);
        pass.dispatchWorkgroups(...command.groups);
        this.counts.dispatches++;
      }
      this.flush();
      return true;
    }

    private lies(dataId: tf.DataId, buffer: GpuBuffer): boolean {
      return this.tensorMap.has(dataId) && this.tensorMap.get(dataId).resource === buffer;
    }

    forget(plan: Plan): void {
      if (!this.plans.delete(plan)) return;
      for (const buffer of plan.numbers) this.bufferManager.releaseBuffer(buffer);
      for (const buffer of plan.owned) {
        this.freeOf(buffer).push(buffer);
        this.bufferManager.numFreeBuffers++;
      }
    }

    /** The buffers that a new tensor may get in the place of one like this. */
    private freeOf({ size, usage }: GpuBuffer): GpuBuffer[] {
      const { freeBuffers } = this.bufferManager;
      const key = `${size}_${usage}`;
      if (!freeBuffers.has(key)) freeBuffers.set(key, []);
      return freeBuffers.get(key)!;
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
      this.pass(); // which it would begin itself, and no plan would see
      super.recordAndSubmit(...program);
    }

    override makeUniforms(numbers: unknown): object {
      const binding = super.makeUniforms(numbers);
      if (this.recording) this.recording.numbers.push(this.uniformPendingDisposal.pop()!);
      return binding;
    }

    override write(values: tf.backend_util.BackendValues | null, shape: number[], dtype: tf.DataType): tf.DataId {
      const dataId = super.write(values, shape, dtype);
      this.recording?.born.add(dataId);
      return dataId;
    }

    override submitQueue(): void {
      this.counts.submits++;
      super.submitQueue();
    }

    /** A tensor of no elements gets a buffer all the same, since WebGPU binds none that is empty. */
    override uploadToGPU(dataId: tf.DataId): void {
      this.check();
      const data = this.tensorMap.get(dataId);
      if (!data.resource) this.giveBuffer(dataId, data);
      this.recording?.used.set(dataId, data.resource!);
    }

    private giveBuffer(dataId: tf.DataId, data: TensorData): void {
      const bytes = 4 * elements(data.shape);
      if (bytes === 0) {
        data.values = null;
        data.resource = this.bufferManager.acquireBuffer(4, STORAGE);
        return;
      }
      this.wanted = `[${data.shape}] of ${data.dtype}, ${mib(bytes)}`;
      refuseTooLarge(this.wanted, bytes, this.device.limits);
      const { values } = data;
      if (this.recording) this.giveBufferAndRecord(this.recording, dataId, data);
      else super.uploadToGPU(dataId);
      this.check(); // memory that is not there is reported at once
      if (!values) return;
      this.counts.uploads++;
      this.counts.uploadBytes += bytes;
    }

    private giveBufferAndRecord(recording: Plan, dataId: tf.DataId, data: TensorData): void {
      const typed = data.values && (data.dtype === 'float32' ? Float32Array : Int32Array).from(data.values as ArrayLike<number>);
      if (recording.born.has(dataId)) {
        super.uploadToGPU(dataId);
        if (typed) recording.commands.push({ buffer: data.resource!, values: typed });
        return;
      }
      // One that no command has used yet: a replay must not write into a tensor that outlives it.
      data.resource = this.bufferManager.acquireBuffer(4 * elements(data.shape), STORAGE, false, false);
      this.freeOf(data.resource); // which the manager looks for when the buffer is released
      if (typed) this.device.queue.writeBuffer(data.resource, 0, typed);
      data.values = null;
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
      this.spoil(WAS_READ);
      return this.empty(dataId) ?? super.read(dataId);
    }

    override readSync(dataId: tf.DataId): tf.backend_util.BackendValues {
      this.spoil(WAS_READ);
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
