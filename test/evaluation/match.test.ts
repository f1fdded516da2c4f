import assert from 'node:assert/strict';
import { wilson } from '../../evaluation/intervals.js';
import { exactMatch, normalised, normalisedMatch } from '../../evaluation/match.js';

describe('the match of an answer with the expected one', () => {
  it('is exact but for white space around it', () => {
    assert.ok(exactMatch(' four\n', 'four'));
    assert.ok(!exactMatch('Four', 'four'));
  });

  it('is normalised as SQuAD does it: case, punctuation, articles, white space', () => {
    assert.equal(normalised('The  “Answer” is: a cat, an owl.'), 'answer is cat owl');
    assert.ok(normalisedMatch('the Eiffel Tower!', 'Eiffel  tower'));
    assert.equal(normalised('another theory'), 'another theory');
    assert.ok(!normalisedMatch('four campuses', 'five campuses'));
    assert.equal(normalised('3.5 kg'), '35 kg', 'as in SQuAD, a point is punctuation');
  });

  it('knows Chinese: full-width forms are plain ones, and space between characters says nothing', () => {
    assert.ok(normalisedMatch('复旦大学有４个校区。', '复旦大学 有 4 个校区'));
    assert.equal(normalised('我 用 GPT 写 的'), '我用GPT写的'.toLowerCase());
    assert.equal(normalised('deep learning 模型'), 'deep learning模型');
    assert.ok(!normalisedMatch('邯郸校区', '江湾校区'));
  });
});

describe("Wilson's interval", () => {
  it('equals worked examples', () => {
    const close = (actual: readonly number[], expected: readonly number[]) =>
      actual.forEach((value, i) => {
        assert.ok(Math.abs(value - expected[i]) < 5e-5, `${value} ${expected[i]}`);
      });
    close(wilson(5, 10), [0.2366, 0.7634]);
    close(wilson(0, 10), [0, 0.2775]);
    close(wilson(81, 263), [0.2553, 0.3662]); // Newcombe 1998, table I
  });

  it('is nothing where nothing was seen', () => {
    assert.ok(wilson(0, 0).every(Number.isNaN));
  });
});
