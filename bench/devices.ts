/**
 * Training speed on each device that is here: whole steps of one shape, alternating runs in a process each, medians, and the most memory that a
 * process held.
 *
 *     npm run bench:devices -- [--shapes S1,S2] [--devices native,tensorflow,webgpu,wasm] [--rounds 3] [--threads 2] [--steps 5] [--warm-up 2]
 *
 * The devices `pytorch-cpu` and `pytorch-cuda` are PyTorch, compiled and in fp32 (TF32 off, PyTorch's default); --python names one that has it.
 * A software adapter (SwiftShader) is hundreds of times slower than the processor: give it S1 and `--rounds 1 --steps 1 --warm-up 1`.
 */
import os from 'node:os';
import { parseArgs } from 'node:util';
import { benchPath, pythonPath, runJson, runOurs } from './child.js';
import { median, megabytes, rate, ratio, table } from './figures.js';

interface Run {
  tokensPerSecond: number;
  peakRssBytes: number;
  otherLoad: number;
  loss: number;
}

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'S1,S2' },
    devices: { type: 'string', default: 'native,tensorflow,webgpu,wasm' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    steps: { type: 'string', default: '5' },
    'warm-up': { type: 'string', default: '2' },
    python: { type: 'string' },
  },
});

function train(shape: string, device: string): Promise<Run> {
  const { threads, steps } = values;
  if (!device.startsWith('pytorch-')) return runOurs<Run>('ours-train.ts', [shape, 'fp32', threads, steps, device, values['warm-up']]);
  const options = ['--device', device.slice('pytorch-'.length), '--mode', 'compile', '--threads', threads, '--steps', steps];
  return runJson<Run>(pythonPath(values.python), [benchPath('peers/train.py'), shape, ...options]);
}

const rows: string[][] = [];
for (const shape of values.shapes.split(',')) {
  const runs = new Map<string, Run[]>(values.devices.split(',').map((device) => [device, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [device, list] of runs) {
      try {
        list.push(await train(shape, device));
        console.error(`${shape} ${device} round ${round + 1}: ${rate(list.at(-1)!.tokensPerSecond)} tokens/s`);
      } catch (error) {
        const reason =
          (error as Error).message.split('\n').find((line) => line.includes('Error')) ?? (error as Error).message.split('\n')[0];
        rows.push([shape, device, `not here: ${reason.slice(0, 120)}`, '', '', '', '']);
        runs.delete(device);
      }
    }
  }
  const native = median((runs.get('native') ?? []).map((run) => run.tokensPerSecond));
  for (const [device, list] of runs) {
    const speeds = list.map((run) => run.tokensPerSecond);
    const speed = median(speeds);
    rows.push([
      shape,
      device,
      rate(speed),
      `${rate(Math.min(...speeds))}-${rate(Math.max(...speeds))}`,
      Number.isNaN(native) ? '' : ratio(speed / native),
      megabytes(median(list.map((run) => run.peakRssBytes))),
      list.at(-1)!.loss.toFixed(6),
    ]);
    const load = Math.max(...list.map((run) => run.otherLoad));
    if (load > 0.1) console.error(`${shape} ${device}: others used ${load.toFixed(2)} cores meanwhile; the figure is not a clean one`);
  }
}
console.log(`${os.cpus()[0].model}, ${values.threads} threads, fp32, whole training steps`);
console.log(table(['shape', 'device', 'tokens/s', 'spread', 'of native', 'peak memory', 'loss'], rows));
