import assert from 'node:assert/strict';
import { checkPrecision, useDevice } from '../../backends/device.js';

describe('the precision of a run', () => {
  it('bf16 is refused where the device cannot multiply it, with the way out', async () => {
    await useDevice('cpu');
    assert.doesNotThrow(() => checkPrecision('fp32'));
    assert.throws(() => checkPrecision('bf16'), {
      name: 'UserError',
      message: /precision: bf16 needs .*; received cpu; use precision: fp32/,
    });
  });
});
