import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isSlashCommand, runSlashCommand, type Talk } from '../../cli/slash-commands.js';
import type { ChatSession } from '../../sampler/chat.js';
import type { Message } from '../../tokenizer/index.js';

/** A talk with a session that only remembers, and what was noted and done. */
function fakeTalk(said: Message[] = []): Talk & { notes: string[]; done: string[] } {
  const notes: string[] = [];
  const done: string[] = [];
  let [system, temperature]: [string | undefined, number] = [undefined, 0.8];
  const session: Partial<ChatSession> = {
    get conversation() {
      return said;
    },
    get system() {
      return system;
    },
    get temperature() {
      return temperature;
    },
    reset: () => void done.push('reset'),
    setSystem(text) {
      system = text;
    },
    setTemperature(value) {
      temperature = value;
    },
  };
  return {
    session: session as ChatSession,
    note: (text) => void notes.push(text),
    regenerate: async () => void done.push('regenerate'),
    notes,
    done,
  };
}

describe('the commands within a chat', () => {
  it('begin with a slash; a message with a space before it does not', () => {
    assert.deepEqual(['/help', ' /usr/bin', 'a /help'].map(isSlashCommand), [true, false, false]);
  });

  it('go on with the chat but for /exit', async () => {
    const talk = fakeTalk();
    for (const line of ['/help', '/reset', '/regenerate', '/system']) assert.equal(await runSlashCommand(line, talk), true);
    assert.equal(await runSlashCommand('/exit', talk), false);
    assert.deepEqual(talk.done, ['reset', 'regenerate']);
    for (const name of ['help', 'reset', 'system', 'temperature', 'regenerate', 'save', 'exit'])
      assert.match(talk.notes[0], new RegExp(`^/${name}\\b`, 'm'));
  });

  it('show and set the system prompt and the temperature', async () => {
    const talk = fakeTalk();
    for (const line of ['/system', '/system Be  kind,\nand brief. ', '/system', '/system -', '/temperature', '/temperature 0'])
      await runSlashCommand(line, talk);
    assert.deepEqual(talk.notes, [
      'There is no system prompt.',
      'The system prompt is: Be  kind,\nand brief.',
      'The system prompt is: Be  kind,\nand brief.',
      'There is no system prompt.',
      'The temperature is 0.8.',
      'The temperature is 0.',
    ]);
    for (const wrong of ['-1', 'hot', 'Infinity'])
      await assert.rejects(
        runSlashCommand(`/temperature ${wrong}`, talk),
        new RegExp(`it must be a number, 0 or more; received ${wrong}\\.`),
      );
  });

  it('say that an answer given again at temperature 0 is the same', async () => {
    const talk = fakeTalk();
    await runSlashCommand('/regenerate', talk);
    assert.deepEqual(talk.notes, []);
    await runSlashCommand('/temperature 0', talk);
    await runSlashCommand('/regenerate', talk);
    assert.match(talk.notes[1], /^At temperature 0 the same conversation always has the same answer/);
  });

  it('say which command was probably meant', async () => {
    await assert.rejects(
      runSlashCommand('/regenrate', fakeTalk()),
      /^UserError: \/regenrate: there is no such command; did you mean \/regenerate\?/,
    );
    await assert.rejects(runSlashCommand('/frobnicate', fakeTalk()), /no such command; \/help shows those there are\. A message/);
    await assert.rejects(runSlashCommand('/toString', fakeTalk()), /no such command/);
  });

  describe('/save', () => {
    let folder = '';
    before(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'fourfold-save-'));
    });
    after(() => rm(folder, { recursive: true, force: true }));

    it("writes a line of OpenAI's messages, and overwrites nothing", async () => {
      const said: Message[] = [
        { role: 'user', content: '今晚\n"quoted"' },
        { role: 'assistant', content: 'calm' },
      ];
      const talk = fakeTalk(said);
      const file = path.join(folder, 'new folder', 'talk.jsonl');
      await runSlashCommand(`/save ${file}`, talk);
      assert.deepEqual(talk.notes, [`${file}: 2 messages`]);
      const lines = (await readFile(file, 'utf8')).split('\n');
      assert.deepEqual([JSON.parse(lines[0]), lines[1], lines.length], [{ messages: said }, '', 2]);
      await assert.rejects(
        runSlashCommand(`/save ${file}`, talk),
        /talk\.jsonl is there already, and nothing is overwritten\. Take another name$/,
      );
    });

    it('wants a name and an answer', async () => {
      await assert.rejects(runSlashCommand('/save', fakeTalk()), /a file must be named/);
      await assert.rejects(runSlashCommand(`/save ${folder}/x`, fakeTalk([{ role: 'system', content: 'x' }])), /nothing was answered yet/);
    });
  });
});
