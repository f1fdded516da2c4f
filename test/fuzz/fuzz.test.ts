import assert from 'node:assert/strict';
import { fuzz, share } from './run.js';
import { targets } from './targets.js';

describe('random mutations of valid inputs', () => {
  it('are read or refused with a message: no hang, no crash, no other error (npm run test:fuzz makes 100,000)', async () => {
    const outcomes = await fuzz(share(Object.keys(targets), 7, 0, 500));
    let cases = 0;
    for (const [target, { accepted, refused, violations }] of outcomes) {
      for (const { index, message } of violations)
        assert.fail(`npm run test:fuzz -- --seed 7 --target ${target} --case ${index}: ${message}`);
      cases += accepted + [...refused.values()].reduce((sum, { count }) => sum + count, 0);
    }
    assert.ok(cases >= 490);
    assert.ok([...outcomes.values()].filter(({ accepted, refused }) => accepted > 0 && refused.size > 0).length > outcomes.size / 2);
  });
});
