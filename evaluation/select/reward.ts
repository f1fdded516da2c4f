import type { SelectConfig } from '../../configs/select-schema.js';
import { scoreTexts } from '../reward-model.js';
import { type Judge, measureWindows } from './encoded.js';
import { ranked } from './ranked.js';
import type { Strategy } from './strategy.js';

/** The raw score that a reward model gives a conversation's last answer, behind all that stands before it. The highest come first. */
export function reward(rules: Omit<SelectConfig['reward'], 'model'>, judge: Judge): Strategy {
  return async (rows) => {
    const values = new Map<number, number>();
    const dropped = await measureWindows(rows, judge, async (window) => {
      const { mean } = await scoreTexts(
        judge.rewardModel,
        window.map(({ ids, supervised }) => Int32Array.from(ids.slice(0, supervised.lastIndexOf(1) + 1))),
      );
      for (const [i, { row }] of window.entries()) values.set(row, mean[i]);
    });
    return ranked(values, dropped, { name: 'reward', best: 'highest', ...rules });
  };
}
