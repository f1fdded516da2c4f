import assert from 'node:assert/strict';
import { answerRoom, slidWindow, tokensToLeave, turnsToLeave } from '../../sampler/context-window.js';

describe('truncating a conversation', () => {
  /** Lengths as they are: a system prompt of 10 tokens, then turns. */
  const lengthOf = (turns: readonly number[]) => (left: number) => 10 + turns.slice(left).reduce((a, b) => a + b, 0);
  const leave = (turns: number[], limit: number, room: number) => turnsToLeave(turns.length, lengthOf(turns), limit, room);

  it('lets no turn go while all fit with the answer', () => {
    assert.equal(leave([20, 20, 5], 75, 20), 0);
    assert.equal(leave([5], 75, 20), 0);
  });

  it('lets as few of the oldest go as will do', () => {
    assert.equal(leave([20, 20, 5], 74, 20), 1);
    assert.equal(leave([20, 20, 5], 54, 20), 2);
    assert.equal(leave([1, 1, 1, 40, 1, 1, 5], 60, 20), 4);
  });

  it('keeps the question, with what room there is', () => {
    assert.equal(leave([20, 20, 5], 30, 20), 2);
    assert.equal(leave([20, 20, 5], 16, 20), 2);
  });

  it('refuses a question that leaves no room for one token', () => {
    assert.throws(() => leave([20, 20, 5], 15, 20), /context of 15 tokens; it has 15\. Shorten it, or take --context sliding_window$/);
  });

  it('finds the number of turns in few encodings of a long conversation', () => {
    let calls = 0;
    const turns = Array.from({ length: 1000 }, () => 10);
    const count = turnsToLeave(
      turns.length,
      (n) => {
        calls++;
        return lengthOf(turns)(n);
      },
      500,
      60,
    );
    assert.equal(count, 957); // 10 + 43 · 10 + 60 is 500
    assert.ok(calls <= 12);
  });

  it('wants room for the longest answer, but no more than a quarter of the context', () => {
    assert.deepEqual([answerRoom(20, 100), answerRoom(512, 100), answerRoom(5, 3)], [20, 25, 1]);
  });
});

describe('a sliding window', () => {
  it('holds all tokens while they fit', () => {
    assert.equal(tokensToLeave(10, 10, 1), 0);
    const ids = [1, 2, 3];
    assert.equal(slidWindow(ids, 3, 1), ids);
  });

  it('loses half of what may leave at once, and keeps the first', () => {
    const ids = Array.from({ length: 12 }, (_, i) => i);
    assert.deepEqual(slidWindow(ids.slice(0, 11), 10, 1), [0, 5, 6, 7, 8, 9, 10]); // (10 - 1) / 2 leave
    assert.deepEqual(slidWindow(ids, 10, 0), [5, 6, 7, 8, 9, 10, 11]);
  });

  it('stands still until it is full again', () => {
    const starts = Array.from({ length: 30 }, (_, n) => tokensToLeave(n, 10, 1));
    assert.deepEqual([...new Set(starts)], [0, 4, 8, 12, 16, 20]);
    assert.ok(starts.every((left, n) => n - left <= 10 && (left === 0 || n - left > 6)));
  });

  it('slides in the smallest contexts', () => {
    assert.deepEqual(slidWindow([7, 8, 9], 2, 1), [7, 9]);
    assert.deepEqual(slidWindow([7, 8, 9], 1, 0), [9]);
  });
});
