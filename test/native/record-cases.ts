/**
 * Mocha hooks that write down the kernel calls of the tests they run with: what each buffer held before and after, and the numbers. The tests have compared
 * the results with their oracles; `kernels.cc` makes the same calls on other instruction sets, processors and compilers, without Node.js.
 *
 *   FOURFOLD_CASES=cases.bin FOURFOLD_SPECS=specs.txt mocha --require test/native/record-cases.ts test/ops/linear.test.ts
 *
 * A buffer that a kernel only writes is filled with UNWRITTEN first, so that what it leaves alone is the same everywhere.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { loadAddon, type NativeAddon } from '../../backends/native/addon.js';

/** A NaN, and a large integer. */
const UNWRITTEN = 0x7fc5a5a5;
/** A larger call is left out; of a kernel the largest that is left and then the smaller ones, as many as this holds. */
const MAX_CASE_BYTES = 3 << 18;
const MAX_KERNEL_BYTES = 1 << 20;
const MAX_CASES = 120;
/** They measure time, and compute nothing. */
const PROBES = ['probeMultiply', 'probeRead'];

interface Argument {
  kind: 'buffer' | 'int' | 'real';
  name: string;
  in: boolean;
  out: boolean;
  elementBytes: number;
  /** Names of integers, and literals, whose product is the number of elements. */
  factors: string[];
}

/** "in x[M*2]:i32, int M" as kernel.h explains it. */
function parseSpec(spec: string): Argument[] {
  return spec.split(', ').map((item) => {
    const number = /^(int|real) (\w+)$/.exec(item);
    if (number) return { kind: number[1] as 'int' | 'real', name: number[2], in: false, out: false, elementBytes: 0, factors: [] };
    const buffer = /^(in|out|inout) (\w+)\??\[(.+)\](?::(\w+))?$/.exec(item)!;
    const [, direction, name, size, type] = buffer;
    return {
      kind: 'buffer',
      name,
      in: direction !== 'out',
      out: direction !== 'in',
      elementBytes: type === 'u16' ? 2 : 4,
      factors: size.split('*'),
    };
  });
}

interface Recorded {
  bytes: number;
  before: Buffer;
  after?: Buffer;
}

interface Case {
  kernel: string;
  buffers: Recorded[];
  args: string[];
  failure?: string;
}

const sizeOf = ({ buffers }: Case): number => buffers.reduce((sum, { before, after }) => sum + before.length + (after?.length ?? 0), 0);

/** The cases of one kernel that go into the file. */
function selected(cases: Case[]): Case[] {
  const sorted = cases.map((entry) => ({ entry, bytes: sizeOf(entry) })).sort((a, b) => a.bytes - b.bytes);
  const chosen: Case[] = [];
  let left = MAX_KERNEL_BYTES;
  for (const { entry, bytes } of [...sorted.slice(-1), ...sorted.slice(0, -1)]) {
    left -= bytes;
    if (left >= 0) chosen.push(entry);
  }
  return chosen;
}

/** The cases laid into one file: a line of lengths, the lines of the cases, the bytes, each piece once. */
class CaseFile {
  private readonly lines: string[] = [];
  private readonly chunks: Buffer[] = [];
  private readonly places = new Map<string, number>();
  private length = 0;

  private place(bytes: Buffer): number {
    const hash = createHash('sha256').update(bytes).digest('hex');
    const known = this.places.get(hash);
    if (known !== undefined) return known;
    const at = this.length;
    const padded = Buffer.alloc(Math.ceil(bytes.length / 64) * 64);
    bytes.copy(padded);
    this.chunks.push(padded);
    this.length += padded.length;
    this.places.set(hash, at);
    return at;
  }

  add({ kernel, buffers, args, failure }: Case): void {
    const places = buffers.map(({ bytes, before, after }) => `buffer ${bytes} ${this.place(before)} ${after ? this.place(after) : '-'}`);
    this.lines.push(
      [`case ${kernel}`, ...places, `args ${args.join(' ')}`, ...(failure === undefined ? [] : [`fails ${failure}`])].join('\n'),
    );
  }

  write(file: string): void {
    const text = Buffer.from(`${this.lines.join('\n')}\n`);
    writeFileSync(file, Buffer.concat([Buffer.from(`fourfold cases ${this.lines.length} ${text.length}\n`), text, ...this.chunks]));
  }

  get summary(): string {
    return `${this.lines.length} calls, ${(this.length / 2 ** 20).toFixed(1)} MiB`;
  }
}

/** What has been recorded, by kernel. The same call again says nothing new. */
class Cases {
  private readonly seen = new Map<string, Map<string, Case>>();

  wants(kernel: string): boolean {
    return (this.seen.get(kernel)?.size ?? 0) < MAX_CASES;
  }

  add(entry: Case): void {
    if (sizeOf(entry) > MAX_CASE_BYTES) return;
    const hash = createHash('sha256').update(JSON.stringify([entry.args, entry.failure]));
    for (const { before } of entry.buffers) hash.update(before);
    const seen = this.seen.get(entry.kernel) ?? new Map<string, Case>();
    this.seen.set(entry.kernel, seen.set(hash.digest('hex'), entry));
  }

  write(name: string): void {
    const file = new CaseFile();
    for (const cases of this.seen.values()) for (const entry of selected([...cases.values()])) file.add(entry);
    file.write(name);
    console.log(`recorded ${file.summary}, of ${this.seen.size} kernels`);
  }
}

function record(addon: NativeAddon, specs: Map<string, string>, cases: Cases): void {
  const contents = (handle: number, bytes: number): Buffer => {
    const buffer = Buffer.alloc(bytes);
    addon.read(handle, new Uint8Array(buffer.buffer, buffer.byteOffset, bytes));
    return buffer;
  };
  const packed = new Map<number, Buffer>(); // what packWeights has put where, by handle: its layout is the instruction set's own
  for (const [kernel, run] of Object.entries(addon.kernels)) {
    if (PROBES.includes(kernel)) continue;
    const spec = parseSpec(specs.get(kernel)!);
    addon.kernels[kernel] = (...args) => {
      if (!cases.wants(kernel) && kernel !== 'packWeights') return run(...args);
      const ints = new Map<string, number>();
      for (const [i, argument] of spec.entries()) if (argument.kind === 'int') ints.set(argument.name, args[i]);
      const used = new Map<number, { bytes: number; in: boolean; out: boolean; packed: boolean }>();
      for (const [i, argument] of spec.entries()) {
        if (argument.kind !== 'buffer' || args[i] === 0) continue;
        const elements = argument.factors.reduce((product, factor) => product * (ints.get(factor) ?? Number(factor)), 1);
        const known = used.get(args[i]);
        used.set(args[i], {
          bytes: Math.max(known?.bytes ?? 0, elements * argument.elementBytes),
          in: (known?.in ?? false) || argument.in,
          out: (known?.out ?? false) || argument.out,
          packed: argument.name === 'packed',
        });
      }
      const buffers: (Recorded & { handle: number; out: boolean })[] = [];
      try {
        for (const [handle, use] of used) {
          if (!use.in && !use.packed) addon.write(handle, new Uint32Array(use.bytes / 4).fill(UNWRITTEN));
          const before = use.packed ? (packed.get(handle) ?? Buffer.alloc(0)) : contents(handle, use.bytes);
          buffers.push({ handle, bytes: use.bytes, before, out: use.out && !use.packed });
        }
      } catch {
        return run(...args); // not a call that passes the addon's checks, which are tested elsewhere
      }
      const position = [...used.keys()];
      const texts = spec.map((argument, i) =>
        String(argument.kind !== 'buffer' ? args[i] : args[i] === 0 ? -1 : position.indexOf(args[i])),
      );
      let failure: unknown;
      try {
        run(...args);
      } catch (error) {
        failure = error;
      }
      const reported = failure instanceof Error ? /^native \w+: (.+); received .*$/.exec(failure.message)?.[1] : undefined;
      if (kernel === 'packWeights' && !failure) packed.set(args[1], buffers[0].before);
      if (!failure || (reported && !(failure instanceof TypeError))) {
        for (const buffer of buffers) if (buffer.out && !failure) buffer.after = contents(buffer.handle, buffer.bytes);
        cases.add({ kernel, buffers, args: texts, failure: reported });
      }
      if (failure) throw failure;
    };
  }

  const optimizerStep = addon.optimizerStep.bind(addon);
  addon.optimizerStep = (items, weightDecay, settings, squaredNorms) => {
    const buffers: (Recorded & { handle: number })[] = [];
    const texts: string[] = [];
    for (let i = 0; i < items.length; i += 5) {
      for (const handle of items.subarray(i, i + 4)) {
        texts.push(String(buffers.length));
        buffers.push({ handle, bytes: 4 * items[i + 4], before: contents(handle, 4 * items[i + 4]) });
      }
      texts.push(String(items[i + 4]), String(weightDecay[i / 5]));
    }
    const norm = optimizerStep(items, weightDecay, settings, squaredNorms);
    for (const buffer of buffers) buffer.after = contents(buffer.handle, buffer.bytes);
    cases.add({ kernel: 'adamw', buffers, args: [...texts, ...Array.from(settings, String), String(norm)] });
    return norm;
  };
}

const cases = new Cases();

export const mochaHooks = {
  beforeAll(): void {
    const { addon, reason } = loadAddon();
    if (!addon) throw new Error(`kernel calls can only be recorded on the native engine: ${reason}`);
    const lines = readFileSync(process.env.FOURFOLD_SPECS!, 'utf8').trim().split('\n');
    record(addon, new Map(lines.map((line) => line.split('\t') as [string, string])), cases);
  },
  afterAll(): void {
    cases.write(process.env.FOURFOLD_CASES!);
  },
};
