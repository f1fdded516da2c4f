/**
 * Random mutations of valid inputs. Each must be read, with a valid result, or refused with a message: no hang, no crash, no other error.
 *
 *   npm run test:fuzz                                     100,000 cases
 *   npm run test:fuzz -- --cases 1000 --target jsonl      fewer, of one kind
 *   npm run test:fuzz -- --target jsonl --case 17         one again, here, with its stack; its input goes to --keep FILE
 */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runCase } from './child.js';
import { fuzz, share } from './run.js';
import { makeInput } from './target.js';
import { targets } from './targets.js';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '100000' },
    from: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string', multiple: true, default: Object.keys(targets) },
    case: { type: 'string' },
    keep: { type: 'string' },
  },
});
const seed = Number(values.seed);
for (const name of values.target)
  if (!Object.hasOwn(targets, name)) throw new Error(`--target must be of ${Object.keys(targets)}; received ${name}`);

if (values.case === undefined) process.exitCode = await all();
else await one(values.target[0], Number(values.case));

async function one(name: string, index: number): Promise<void> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-fuzz-'));
  const target = await targets[name].open(folder);
  const input = makeInput(target, seed, index);
  if (values.keep) await fs.writeFile(values.keep, input);
  console.log(await runCase((bytes) => target.run(bytes), input));
  await fs.rm(folder, { recursive: true });
}

async function all(): Promise<number> {
  const jobs = share(values.target, seed, Number(values.from), Number(values.cases));
  const begun = performance.now();
  const outcomes = await fuzz(jobs, (target, index) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${target} ${index}   `);
  });
  let cases = 0;
  let violations = 0;
  for (const [target, outcome] of outcomes) {
    const refused = [...outcome.refused].sort(([, a], [, b]) => b.count - a.count);
    const refusals = refused.reduce((sum, [, { count }]) => sum + count, 0);
    const all = outcome.accepted + refusals + outcome.violations.length;
    console.log(
      `\n${target}: ${all} cases, ${outcome.accepted} read, ${refusals} refused in ${refused.length} ways, ${outcome.violations.length} violations`,
    );
    for (const [kind, { count }] of refused.slice(0, 12)) console.log(`  ${String(count).padStart(6)}  ${kind}`);
    for (const { index, message } of outcome.violations.slice(0, 20))
      console.log(`  VIOLATION --target ${target} --seed ${seed} --case ${index}: ${message.slice(0, 600)}`);
    cases += all;
    violations += outcome.violations.length;
  }
  console.log(`\n${cases} mutations, ${violations} violations, ${Math.round((performance.now() - begun) / 1000)} s`);
  return violations > 0 ? 1 : 0;
}
