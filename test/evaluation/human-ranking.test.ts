import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { Annotations } from '../../evaluation/annotations.js';
import { type HumanRankingOptions, orderShown, parseRanking, rankByHand } from '../../evaluation/human-ranking.js';
import type { RankingTask } from '../../evaluation/judges.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { generationOf } from './generation-table.js';

describe('a ranking as it is typed', () => {
  it('has the best first, = between equals', () => {
    assert.deepEqual(parseRanking('2 > 1 = 3', 3), [2, 1, 2]);
    assert.deepEqual(parseRanking('2 1=3', 3), [2, 1, 2]);
    assert.deepEqual(parseRanking('21=3', 3), [2, 1, 2]);
    assert.deepEqual(parseRanking('4,2, 1 3', 4), [3, 2, 4, 1]);
    assert.deepEqual(parseRanking('1=2=3', 3), [1, 1, 1]);
    assert.deepEqual(parseRanking('10 > 1=2 > 3 4 5 6 7 8 9', 10), [2, 2, 3, 4, 5, 6, 7, 8, 9, 1]);
  });
  for (const [line, wrong] of [
    ['2 > 1', /missing: 3/],
    ['1 2 3 2', /2 is there twice/],
    ['1 2 4', /1 to 3; received 4/],
    ['0 1 2 3', /1 to 3; received 0/],
    ['> 1 2 3', /> stands between/],
    ['1 > = 2 3', /= stands between/],
    ['1 2 3 =', /= stands between/],
    ['best first', /received best first/],
    ['1 \x1b[2J', /received 1 ␛\[2J/],
    ['', /missing: 1, 2, 3/],
  ] as const) {
    it(`says what is wrong with ${JSON.stringify(line)}`, () => assert.match(String(parseRanking(line, 3)), wrong));
  }
});

describe('ranking by hand', () => {
  const at = temporaryFolder();
  let files = 0;
  const taskOf = (row: number, ...texts: string[]): RankingTask => ({ row, ...generationOf(`question ${row}`, texts) });
  const tasks = [taskOf(0, 'a0', 'b0', 'c0'), taskOf(2, 'a2', 'b2'), taskOf(5, 'a5', 'b5', 'c5', 'd5')];
  const subject = { source_sha256: 'x', annotator: 'ann', seed: 1 };

  /** Types the lines one after another, each a second and a half after the last. */
  const rank = async (output: string, lines: readonly string[], options: Partial<HumanRankingOptions> = {}) => {
    const annotations = await Annotations.open(output, subject);
    const shown: string[] = [];
    const left = [...lines];
    let clock = 0;
    const now = () => clock;
    const ask = async () => {
      clock += 1500;
      return left.shift();
    };
    await rankByHand(tasks, annotations, { ask, now, show: (text) => void shown.push(text) }, { seed: 1, ...options });
    annotations.close();
    return { standing: annotations.standing, shown: shown.join('\n'), left };
  };
  const fresh = () => at(`out-${files++}.arrow`);
  /** What to type to put a task's answers in this order. */
  const typed = (task: RankingTask, ...texts: string[]) => {
    const order = orderShown(task, 1);
    return texts.map((text) => order.findIndex((k) => task.answers[k].text === text) + 1).join(' > ');
  };

  it('gives each answer the rank that was typed for its number, however they were shown', async () => {
    const lines = [
      typed(tasks[0], 'c0', 'a0', 'b0'),
      typed(tasks[1], 'b2', 'a2').replace('>', '='),
      typed(tasks[2], 'd5', 'c5', 'b5', 'a5'),
    ];
    const { standing } = await rank(fresh(), lines);
    assert.deepEqual([...standing], [
      [0, { row: 0, ranks: [2, 3, 1], seconds: 1.5 }],
      [2, { row: 2, ranks: [1, 1], seconds: 1.5 }],
      [5, { row: 5, ranks: [4, 3, 2, 1], seconds: 1.5 }],
    ]); // biome-ignore format: short
  });

  it('shows answers in an order that the seed and the row decide, and that differs from row to row', () => {
    const orders = Array.from({ length: 200 }, (_, row) => orderShown(taskOf(row, 'a', 'b', 'c'), 1).join(''));
    assert.deepEqual(orders, Array.from({ length: 200 }, (_, row) => orderShown(taskOf(row, 'a', 'b', 'c'), 1).join(''))); // biome-ignore format: short
    const counts = new Map<string, number>();
    for (const order of orders) counts.set(order, (counts.get(order) ?? 0) + 1);
    assert.equal(counts.size, 6);
    assert.ok(Math.min(...counts.values()) > 15, `${[...counts]}`);
    assert.notDeepEqual(orders, Array.from({ length: 200 }, (_, row) => orderShown(taskOf(row, 'a', 'b', 'c'), 2).join(''))); // biome-ignore format: short
  });

  it('skips, undoes and goes on where it was stopped', async () => {
    const output = fresh();
    const first = await rank(output, ['s', typed(tasks[1], 'a2', 'b2'), 'u', typed(tasks[1], 'b2', 'a2'), 'q', 'never read']);
    assert.deepEqual(first.left, ['never read']);
    assert.deepEqual([...first.standing.values()], [
      { row: 0, skipped: true },
      { row: 2, ranks: [2, 1], seconds: 1.5 },
    ]); // biome-ignore format: short
    const second = await rank(output, ['u', typed(tasks[1], 'a2', 'b2'), typed(tasks[2], 'a5', 'b5', 'c5', 'd5')]);
    assert.deepEqual([...second.standing.keys()], [0, 2, 5]);
    assert.deepEqual(second.standing.get(2), { row: 2, ranks: [1, 2], seconds: 1.5 });
    const lines = (await fs.readFile(Annotations.pathOf(output), 'utf8')).trim().split('\n');
    assert.deepEqual(JSON.parse(lines[0]), subject);
    assert.deepEqual(lines.filter((line) => line.includes('undone')).map((line) => JSON.parse(line)), [
      { row: 2, undone: true },
      { row: 2, undone: true },
    ]); // biome-ignore format: short
    const third = await rank(output, []);
    assert.deepEqual([third.shown, third.standing.size], ['', 3]);
  });

  it('undoes a skip, and says where there is nothing to undo', async () => {
    const { standing, shown } = await rank(fresh(), ['u', 's', 'u', typed(tasks[0], 'a0', 'b0', 'c0'), 'q']);
    assert.match(shown, /nothing to undo/);
    assert.deepEqual([...standing.keys()], [0]);
    assert.ok('ranks' in standing.get(0)!);
  });

  it('asks again after what is no ranking, and the time runs on', async () => {
    const { standing, shown } = await rank(fresh(), ['1 2', 'nonsense', '', typed(tasks[0], 'a0', 'b0', 'c0'), 'q']);
    assert.match(shown, /missing: 3.*\n.*received nonsense/);
    assert.deepEqual(standing.get(0), { row: 0, ranks: [1, 2, 3], seconds: 6 });
  });

  it('shows the guideline on ?, and writes its version with each ranking', async () => {
    const guideline = { text: '# Be kind\x07', sha256: 'abc' };
    const { standing, shown } = await rank(fresh(), ['?', typed(tasks[0], 'a0', 'b0', 'c0'), 'q'], { guideline });
    assert.match(shown, /# Be kind␇/);
    assert.equal((standing.get(0) as { guideline: string }).guideline, 'abc');
    assert.match((await rank(fresh(), ['?', 'q'])).shown, /--guideline FILE\.md/);
  });

  it('shows controls as signs, and an empty answer as such', async () => {
    const odd: RankingTask = { row: 9, ...generationOf('a\x1b[2Jb', ['', 'x\x07']) };
    const annotations = await Annotations.open(fresh(), subject);
    const shown: string[] = [];
    await rankByHand([odd], annotations, { ask: async () => undefined, now: () => 0, show: (text) => void shown.push(text) }, { seed: 1 });
    annotations.close();
    assert.match(shown.join('\n'), /a␛\[2Jb/);
    assert.match(shown.join('\n'), /x␇/);
    assert.match(shown.join('\n'), /\[\d\] \(empty\)/);
  });

  it('passes over a line that was being written when the work was killed', async () => {
    const output = fresh();
    await rank(output, [typed(tasks[0], 'a0', 'b0', 'c0'), 'q']);
    await fs.appendFile(Annotations.pathOf(output), '{"row": 2, "ra');
    const { standing } = await rank(output, [typed(tasks[1], 'b2', 'a2'), 'q']);
    assert.deepEqual([...standing.keys()], [0, 2]);
  });

  it('refuses annotations of something else, or that are damaged', async () => {
    const output = fresh();
    await rank(output, ['q']);
    await assert.rejects(Annotations.open(output, { ...subject, annotator: 'bo' }), {
      name: 'UserError',
      message: /annotator ann for bo.*--overwrite/,
    });
    await fs.appendFile(Annotations.pathOf(output), 'no JSON\n');
    await assert.rejects(Annotations.open(output, subject), { name: 'UserError', message: /line 2 .*received no JSON/ });
  });
});
