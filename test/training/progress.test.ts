import assert from 'node:assert/strict';
import { duration, Progress } from '../../training/progress.js';

describe('the progress line', () => {
  function setUp(stream: { isTTY?: boolean; columns?: number }, total = 2000) {
    const clock = { ms: 0 };
    let text = '';
    const progress = new Progress(total, { ...stream, write: (part: string) => (text += part) }, () => clock.ms);
    const take = () => {
      const taken = text;
      text = '';
      return taken;
    };
    return { progress, clock, take };
  }

  it('shows steps, loss, speed, time left and the part of the peak', () => {
    const { progress, clock, take } = setUp({});
    progress.start(500);
    clock.ms = 10_000;
    progress.update({ step: 600, loss: 2.34567, tokensPerSecond: 12345.6, peakFraction: 0.583 });
    assert.equal(take(), 'step 600/2000 · loss 2.3457 · 12,346 tokens/s · 2m 20s left · 58% of peak\n');
  });

  it('shows what else a stage wants to be seen', () => {
    const { progress, take } = setUp({});
    progress.update({ step: 3, loss: 1, tokensPerSecond: 10, facts: ['score 0.412', 'KL 1.20'] });
    assert.equal(take(), 'step 3/2000 · loss 1.0000 · score 0.412 · KL 1.20 · 10 tokens/s\n');
  });

  it('is plain lines when not on a terminal', () => {
    const { progress, take } = setUp({});
    progress.update({ step: 1, loss: 4, tokensPerSecond: 10 });
    progress.note('saved');
    progress.update({ step: 2, loss: 3, tokensPerSecond: 10 });
    progress.end();
    assert.equal(take(), 'step 1/2000 · loss 4.0000 · 10 tokens/s\nsaved\nstep 2/2000 · loss 3.0000 · 10 tokens/s\n');
  });

  it('is redrawn in place on a terminal, at most ten times a second, and ends on the last state', () => {
    const { progress, clock, take } = setUp({ isTTY: true, columns: 80 }, 3);
    progress.update({ step: 1, loss: 4, tokensPerSecond: 10 });
    assert.equal(take(), '\r\x1b[Kstep 1/3 · loss 4.0000 · 10 tokens/s');
    clock.ms = 50;
    progress.update({ step: 2, loss: 3, tokensPerSecond: 10 });
    assert.equal(take(), '');
    progress.update({ step: 3, loss: 2, tokensPerSecond: 10 });
    assert.equal(take(), '\r\x1b[Kstep 3/3 · loss 2.0000 · 10 tokens/s');
    progress.end();
    assert.equal(take(), '\r\x1b[Kstep 3/3 · loss 2.0000 · 10 tokens/s\n');
  });

  it('leaves notes above it and never wraps', () => {
    const { progress, take } = setUp({ isTTY: true, columns: 12 });
    progress.update({ step: 1, loss: 4, tokensPerSecond: 10 });
    take();
    progress.note('saved step 1');
    assert.equal(take(), '\r\x1b[Ksaved step 1\n\r\x1b[Kstep 1/2000');
  });

  it('writes durations as people do', () => {
    assert.deepEqual([0, 59_400, 65_000, 7_620_000, -5].map(duration), ['0s', '59s', '1m 05s', '2h 07m', '0s']);
  });
});
