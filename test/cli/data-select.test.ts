import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { temporaryFolder } from '../datasets/temporary.js';
import { asked, readChats, writeChats } from '../evaluation/select-helpers.js';
import { withoutColour } from '../util/environment.js';
import { fourfold } from './capture.js';

describe('fourfold data select', () => {
  const at = temporaryFolder();
  withoutColour();
  const select = (...argv: string[]) => fourfold('data', 'select', ...argv);

  before(async () => {
    const rows = Array.from({ length: 9 }, (_, i) =>
      asked(`What is ${i}?`, i % 3 === 0 ? 'no\nno\nno' : `It is the number after ${i - 1}.`),
    );
    await writeChats(at('chats.arrow'), rows);
  });

  it('writes a table, a report and a page, and prints what each strategy did', async () => {
    const argv = [at('chats.arrow'), '-o', at('few.arrow'), '--strategies', 'repetition', '--budget', '4', 'repetition.max_lines=0.4'];
    const { code, stdout } = await select(...argv, '--html', at('few.html'));
    assert.equal(code, 0);
    assert.match(stdout, /^ {2}repetition {5}9 {8}3 {2}33\.3 {5}6 {2}repeated lines > 0\.4$/m);
    assert.match(stdout, /^ {2}budget {9}6 {8}2 {2}33\.3 {5}4 {2}not in the sample by hash$/m);
    assert.match(stdout, /few\.arrow: 4 of 9 conversations of chats\.arrow\n.*few\.html: written\. Open it in a browser\n$/);
    assert.equal((await readChats(at('few.arrow'))).length, 4);
    assert.equal(JSON.parse(await fs.readFile(at('few.select.json'), 'utf8')).after, 4);
    const again = await select(...argv);
    assert.deepEqual([again.code, again.stdout], [1, '']);
    assert.match(again.stderr, /^error: select: .*few\.arrow exists already\. Choose another, or say --overwrite\n$/);
    assert.equal((await select(...argv, '--overwrite')).code, 0);
  });

  it('reads a file, which the command line overrides', async () => {
    await fs.writeFile(at('c.yaml'), 'strategies: [repetition]\nbudget: 2\n');
    const { code } = await select(at('chats.arrow'), '-o', at('five.arrow'), '--config', at('c.yaml'), '--budget', '5');
    assert.deepEqual([code, (await readChats(at('five.arrow'))).length], [0, 5]);
  });

  it('fails with a message', async () => {
    await fs.writeFile(at('bad.yaml'), 'strategies: [repetition]\nrepetition:\n  max_line: 0.4\n');
    const cases: [string[], RegExp][] = [
      [[at('chats.arrow')], /^error: select: what is to be run is required; received neither --config nor --strategies\. /],
      [['budget=3', '--strategies', 'length'], /^error: select: one table of conversations is required; received none\. Name one\n$/],
      [[at('chats.arrow'), '--config', at('bad.yaml')], /bad\.yaml:3:3: repetition\.max_line: there is no such key; received 0\.4; did you mean repetition\.max_lines\?\n$/],
      [[at('chats.arrow'), '--strategies', 'repetitions'], /command line: strategies=\[repetitions\]: strategies\[0\]: must be one of .* did you mean repetition\?\n$/],
      [[at('chats.arrow'), '--strategies', 'reward'], /reward\.model: is required by reward/],
      [[at('chats.arrow'), '--strategies', 'ifd'], /^error: Read the configuration of the command line: one error\ncommand line: checkpoint: is required by ifd; received nothing; for example checkpoint: runs\/base\/final\n$/],
      [[at('chats.arrow'), '--strategies', 'ifd', '--checkpoint', at('none')], /checkpoint: there is no such file; received .*name a checkpoint/],
      [[at('chats.arrow'), '--strategies', 'ifd', '--budget', '0'], /It must be a whole number, 1 or more/],
    ]; // biome-ignore format: a case a line
    for (const [argv, message] of cases) {
      const { code, stderr } = await select(...argv, '-o', at('x.arrow'));
      assert.deepEqual([code, argv], [1, argv]);
      assert.match(stderr, message);
    }
  });
});
