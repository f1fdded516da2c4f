import assert from 'node:assert/strict';
import { verdict as shape, type Verdict } from '../../../evaluation/report/shapes.js';
import { verdictPoints, verdictSentence } from '../../../evaluation/report/verdict.js';
import { interval, model, verdict } from './run-directory.js';

const read = (models: object, more: object = {}): Verdict => shape.parse(verdict(models, more));

describe('the sentence of a verdict', () => {
  it('says that PPO raises the gold reward where it is higher and the intervals lie apart', () => {
    assert.equal(
      verdictSentence(read({ sft: model(0.21), ppo: model(0.43) })),
      'PPO raises the gold reward from .21 (.19 – .23) to .43 (.41 – .45); the 95\u00a0% intervals do not overlap.',
    );
  });

  it('says that it is worse where it is lower and the intervals lie apart', () => {
    assert.equal(
      verdictSentence(read({ sft: model(0.43), ppo: model(0.21) })),
      'PPO makes it worse: the gold reward falls from .43 (.41 – .45) to .21 (.19 – .23); the 95\u00a0% intervals do not overlap.',
    );
  });

  it('claims nothing where the intervals overlap, whichever is higher', () => {
    const overlapping =
      'It cannot be said that PPO changes the gold reward: .21 (.19 – .23) for SFT, .24 (.22 – .26) for PPO, and the 95\u00a0% intervals overlap.';
    assert.equal(verdictSentence(read({ sft: model(0.21), ppo: model(0.24) })), overlapping);
    assert.match(verdictSentence(read({ sft: model(0.24), ppo: model(0.21) })), /^It cannot be said .* overlap\.$/);
  });

  it('claims nothing where there are no intervals', () => {
    const bare = { gold_reward: { mean: 0.2 }, decodings: {} };
    assert.match(
      verdictSentence(read({ sft: bare, ppo: { ...bare, gold_reward: { mean: 0.5 } } })),
      /\.20 for SFT and \.50 for PPO; without intervals/,
    );
  });

  it('names the model that is missing, and what is known of the others', () => {
    assert.equal(
      verdictSentence(read({ base: model(0.1), sft: model(0.21) }, { reference: 'ppo' })),
      'No comparison: the gold reward of a model to compare with is not recorded (recorded: base .10 (.08 – .12), SFT .21 (.19 – .23)).',
    );
    assert.match(verdictSentence(read({ sft: model(0.21) })), /^No comparison: the gold reward of a model after it is not recorded/);
    assert.match(verdictSentence(read({ sft: model(0.21), ppo: { decodings: {} } })), /the gold reward of PPO is not recorded/);
    assert.match(
      verdictSentence(read({})),
      /^No comparison: the gold reward of a model to compare with and a model after it is not recorded\.$/,
    );
  });

  it('takes the last other model where there is no PPO', () => {
    assert.match(verdictSentence(read({ base: model(0.1), sft: model(0.2), best_of_16: model(0.4) })), /^Best of 16 raises/);
  });
});

describe('the points of a verdict', () => {
  const winning = (win_rate: object) => {
    const ppo = model(0.43);
    return verdictPoints(read({ sft: model(0.21), ppo: { ...ppo, decodings: { sampled: { ...ppo.decodings.sampled, win_rate } } } }))[0];
  };

  it('tell a win rate from chance by its interval', () => {
    assert.match(
      winning(interval(0.6, 0.05)),
      /in 60\.0\u00a0% \(55\.0 – 65\.0\u00a0%\) of the cases, ties counted half: more often than chance\.$/,
    );
    assert.match(winning(interval(0.52, 0.05)), /: which cannot be told from chance\.$/);
    assert.match(winning(interval(0.4, 0.05)), /: less often than chance\.$/);
  });

  it('say what best of n reaches, what the policy costs, and nothing that was not measured', () => {
    const points = verdictPoints(read({ sft: model(0.21), best_of_16: model(0.39), ppo: model(0.43) }));
    assert.ok(points.some((point) => point === 'Best of 16 reaches .39 (.37 – .41) without training a policy.'));
    assert.ok(
      points.some(
        (point) => point === 'The price: PPO departs from SFT by 1.50 (1.48 – 1.52) nats an answer; entropy .47 → .47 nats a token.',
      ),
    );
    const bare = { gold_reward: interval(0.2), decodings: {} };
    assert.deepEqual(verdictPoints(read({ sft: bare, ppo: bare })), []);
  });
});
