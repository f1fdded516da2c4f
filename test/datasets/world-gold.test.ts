import assert from 'node:assert/strict';
import { goldOf } from '../../datasets/world/gold.js';
import type { Message } from '../../tokenizer/index.js';
import { GRADES, LABELLED, labelledWorld } from './world-labelled.js';

describe('the gold reward of the built-in world', () => {
  const gold = goldOf(labelledWorld);
  const user = (content: string): Message => ({ role: 'user', content });

  for (const { prompt, before = [], answers } of LABELLED) {
    const messages = [...before.map((content, i): Message => ({ role: i % 2 === 0 ? 'user' : 'assistant', content })), user(prompt)];
    it(`judges answers to "${prompt.slice(-70)}" as a person does`, () => {
      const wrong = answers.flatMap(([kind, response, grade, ended]) => {
        const score = gold(messages, response, ended);
        const [low, high] = GRADES[grade];
        return score.total >= low - 1e-9 && score.total <= high + 1e-9
          ? []
          : `${kind}: ${JSON.stringify(score)}, not ${grade}: ${response}`;
      });
      assert.deepEqual(wrong, []);
    });
  }

  it('was compared with at least 100 labelled answers', () => {
    assert.ok(LABELLED.flatMap(({ answers }) => answers).length >= 100);
  });
});
