import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { nativeMissing, useDevice } from '../../backends/device.js';
import { overwrite, recorded } from '../../backends/recording.js';

describe('recorded work', () => {
  for (const device of ['native', 'cpu'] as const) {
    describe(`on ${device}`, () => {
      before(async function () {
        if (device === 'native' && nativeMissing() !== undefined) {
          console.log(`      native skipped: ${nativeMissing()}`);
          this.skip();
        }
        await useDevice(device);
      });

      it('sees what was overwritten since, and leaves no tensor behind', async () => {
        const before = tf.memory().numTensors;
        const x = tf.variable(tf.zeros([3]), false);
        const work = recorded(() => tf.tidy(() => [tf.square(tf.add(x, tf.scalar(1)))]));
        for (const value of [1, 2, 3, 4]) {
          overwrite(x, Float32Array.of(value, 0, -value));
          assert.deepEqual([...(await work.run()[0].data())], [(value + 1) ** 2, 1, (1 - value) ** 2]);
        }
        assert.equal(work.notReplayed === undefined, device === 'native');
        work.dispose();
        x.dispose();
        assert.equal(tf.memory().numTensors, before + 1); // the zeros that the variable was made of
      });

      it('begins anew after work that failed', async () => {
        const x = tf.variable(tf.scalar(3), false);
        let runs = 0;
        const work = recorded(() =>
          tf.tidy(() => {
            const y = tf.square(x);
            if (runs++ === 0) throw new Error('not yet');
            return [tf.neg(y)];
          }),
        );
        assert.throws(() => work.run(), /not yet/);
        for (let i = 0; i < 2; i++) assert.equal((await work.run()[0].data())[0], -9);
        work.dispose();
        x.dispose();
      });

      it('goes through JavaScript every time when it reads a tensor back', async () => {
        const x = tf.variable(tf.scalar(0), false);
        let runs = 0;
        const work = recorded(() => {
          runs++;
          return tf.tidy(() => [tf.add(x, tf.scalar(x.dataSync()[0] * 10))]);
        });
        for (const value of [1, 2, 3]) {
          overwrite(x, Float32Array.of(value));
          assert.equal((await work.run()[0].data())[0], 11 * value);
        }
        assert.equal(runs, 3);
        assert.match(work.notReplayed!, device === 'native' ? /a tensor was read/ : /does not record/);
        work.dispose();
        x.dispose();
      });
    });
  }
});
