import assert from 'node:assert/strict';
import { UserError } from '../../util/errors.js';
import { besides, mapInWorkers } from '../../util/workers.js';

const module = besides(import.meta.url, './squares-worker');

async function all(inputs: Iterable<number>, threads: number) {
  const outputs: number[] = [];
  const mapping = mapInWorkers<{ value: number }, Float64Array, number>(module, { power: 2 }, values(inputs), threads);
  for (;;) {
    const { value, done } = await mapping.next();
    if (done) return { outputs, counts: value };
    outputs.push(value[0]);
  }
}

function* values(inputs: Iterable<number>) {
  for (const value of inputs) yield { value };
}

describe('mapping in worker threads', () => {
  for (const threads of [1, 2, 3]) {
    it(`${threads} threads: outputs come in the order of the inputs, and each thread's finish is heard`, async () => {
      const { outputs, counts } = await all([5, 1, 4, 2, 3, 9, 7], threads);
      assert.deepEqual(outputs, [25, 1, 16, 4, 9, 81, 49]);
      assert.equal(counts.length, threads);
      assert.equal(
        counts.reduce((a, b) => a + b),
        7,
      );
    });

    it(`${threads} threads: an error of the task is thrown with its kind and message`, async () => {
      await assert.rejects(
        all([1, -1, 2], threads),
        (error) => error instanceof UserError && error.message === 'no -1' && error.exitCode === 3,
      );
    });
  }

  it('reads inputs no further ahead than two a thread', async () => {
    let read = 0;
    const inputs = function* () {
      for (; ; read++) yield { value: read };
    };
    const mapping = mapInWorkers<{ value: number }, Float64Array>(module, { power: 2 }, inputs(), 2);
    await mapping.next();
    await mapping.next();
    await mapping.return([]);
    assert.ok(read <= 6, String(read));
  });
});
