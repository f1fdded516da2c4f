import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { useDevice } from '../../backends/device.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { packageRoot } from '../../util/package-root.js';
import { saveTinyModel, tinyConfig } from '../sampler/tiny-model.js';

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

describe('fourfold chat with a pipe', () => {
  const tokenizer = trainTokenizer(['The sea is calm tonight. 今晚大海很平静。'], { kind: 'bpe', vocabSize: 300 });
  let folder = '';
  let checkpoint = '';

  before(async () => {
    await useDevice('auto', { threads: 1, warn: () => {} });
    folder = await mkdtemp(path.join(tmpdir(), 'fourfold-chat-'));
    checkpoint = await saveTinyModel(path.join(folder, 'final'), tokenizer, { ...tinyConfig(tokenizer), max_position_embeddings: 128 });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const chat = (typed: string, ...argv: string[]): Promise<Ended> =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, ['--import', 'tsx', 'cli/main.ts', 'chat', checkpoint, '--threads', '1', ...argv], {
        cwd: packageRoot(),
        env: { ...process.env, FORCE_COLOR: undefined },
      });
      const ended: Ended = { code: null, stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr'] as const) {
        child[name].setEncoding('utf8').on('data', (text: string) => {
          ended[name] += text;
        });
      }
      child.on('error', reject).on('close', (code) => resolve({ ...ended, code }));
      child.stdin.end(typed);
    });

  it('answers line by line, keeps what is no answer on stderr, and exits with 0 at the end', async () => {
    const file = path.join(folder, 'talk.jsonl');
    const typed = `The sea?\n\n今晚\n/save ${file}\n`;
    const { code, stdout, stderr } = await chat(typed, '--seed', '7', '--max-tokens', '6', '--system', 'calm');
    assert.equal(code, 0, stderr);
    const reason = String.raw`\[finish_reason (length|stop); \d tokens(, [\d.]+ tokens\/s)?; context \d+ of 128\]\n`;
    assert.match(stderr, new RegExp(`^seed 7\n${reason}${reason}${file}: 5 messages\n$`));
    const { messages } = JSON.parse(await readFile(file, 'utf8')) as { messages: { role: string; content: string }[] };
    assert.deepEqual(
      messages.map(({ role }) => role),
      ['system', 'user', 'assistant', 'user', 'assistant'],
    );
    assert.equal(stdout, `${messages[2].content}\n${messages[4].content}\n`);
  });

  it('ends with an error at a message that cannot be answered', async () => {
    const { code, stdout, stderr } = await chat(`${'long '.repeat(90)}\nnext\n`, '--context-length', '64');
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /^seed \d+\nerror: chat: a message, .* context of 64 tokens; it has \d+\. Shorten it, or take --context sliding_window\n$/,
    );
  });
});
