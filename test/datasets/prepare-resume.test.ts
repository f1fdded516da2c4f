import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type PrepareOptions, prepare } from '../../datasets/prepare.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { RandomStream } from '../../util/random.js';
import { temporaryFolder } from './temporary.js';
import { type CorpusRow, writeCorpus } from './write-corpus.js';

const words = 'fourfold data 模型 token 🎉 of the text and é again shard batch until'.split(' ');

/** `count` documents of words drawn at random, of three sources in no order. */
function texts(count: number, seed: number): CorpusRow[] {
  const random = new RandomStream(seed, 0);
  const below = (n: number) => Math.floor(random.uniform() * n);
  return Array.from({ length: count }, () => ({
    text: Array.from({ length: 1 + below(40) }, () => words[below(words.length)]).join(' '),
    source: ['wiki', 'c4', 'books'][below(3)],
  }));
}

const child = fileURLToPath(new URL('./prepare-child.ts', import.meta.url));

describe('preparing data that is stopped', () => {
  const at = temporaryFolder();
  const tokenizer = trainTokenizer(
    texts(50, 9).map(({ text }) => text),
    { kind: 'bpe', vocabSize: 290 },
  );
  let base: Omit<PrepareOptions, 'output'>;
  let reference: Map<string, Buffer>;

  const contents = async (directory: string) => {
    const names = (await fs.readdir(directory)).sort();
    return new Map(await Promise.all(names.map(async (name) => [name, await fs.readFile(`${directory}/${name}`)] as const)));
  };
  const leftovers = async () => (await fs.readdir(at())).filter((name) => name.includes('preparing'));
  const inChild = (options: object) =>
    spawnSync(process.execPath, ['--import', 'tsx', child, JSON.stringify({ ...base, tokenizer: at('tokenizer.json'), ...options })], {
      encoding: 'utf8',
    });

  before(async () => {
    const corpora = [await writeCorpus(at('a.arrow'), texts(250, 1)), await writeCorpus(at('b.arrow'), texts(150, 2))];
    base = { corpora, tokenizer, split: 'hash', evalFraction: 0.2, seed: 7, shardTokens: 4000, threads: 1 };
    await fs.writeFile(at('tokenizer.json'), JSON.stringify(tokenizer));
    await prepare({ ...base, output: at('reference') });
    reference = await contents(at('reference'));
  });

  it('has some shards to be stopped between', () => {
    assert.ok([...reference.keys()].filter((name) => name.startsWith('train-')).length >= 4);
    assert.ok([...reference.keys()].filter((name) => name.startsWith('eval-')).length >= 4);
  });

  for (const threads of [2, 3]) {
    it(`gives the bytes of one thread with ${threads}`, async () => {
      await prepare({ ...base, output: at('threads'), overwrite: true, threads });
      assert.deepEqual(await contents(at('threads')), reference);
    });
  }

  const deaths: { chunk?: number; rename?: number; after?: boolean; threads?: number }[] = [
    { chunk: 1 },
    { chunk: 4, threads: 2 },
    { rename: 1 },
    { rename: 2, after: true },
    { rename: 3 },
    { rename: 3, after: true },
    { rename: 12, after: true, threads: 2 },
  ];
  for (const { threads = 1, ...die } of deaths) {
    it(`killed ${JSON.stringify(die)}: nothing is at the output, and the same call goes on to the same bytes`, async () => {
      await fs.rm(at('killed'), { recursive: true, force: true });
      assert.equal(inChild({ output: at('killed'), threads, die }).signal, 'SIGKILL');
      await assert.rejects(fs.stat(at('killed')), { code: 'ENOENT' });
      for (const name of await fs.readdir(at('.killed.preparing/tokens'))) {
        if (!name.endsWith('.part')) assert.deepEqual(await fs.readFile(at(`.killed.preparing/tokens/${name}`)), reference.get(name));
      }
      const kept = await fs.readFile(at('.killed.preparing/progress.json'), 'utf8').catch(() => undefined);
      const said: string[] = [];
      let first: number | undefined;
      await prepare({
        ...base,
        threads: 3 - threads,
        output: at('killed'),
        say: (text) => said.push(text),
        onProgress: ({ phase, done }) => {
          if (phase === 'encode') first ??= done;
        },
      });
      assert.deepEqual(await contents(at('killed')), reference);
      assert.deepEqual(await leftovers(), []);
      assert.equal(said.length, kept === undefined ? 0 : 1, said.join());
      if (kept !== undefined) {
        const { train, eval: heldOut } = JSON.parse(kept);
        assert.match(said[0], /going on after/);
        assert.ok(first! > train.bytes + heldOut.bytes);
      }
    });
  }

  it('killed again and again, and in the last renaming, it ends with the same bytes', async () => {
    const output = at('often');
    for (let n = 0; inChild({ output, die: { rename: 7, after: n % 2 === 1 } }).signal === 'SIGKILL'; n++) assert.ok(n < 10);
    assert.deepEqual(await contents(output), reference);
    for (const after of [false, true]) {
      await fs.rm(output, { recursive: true, force: true });
      assert.equal(inChild({ output, die: { to: output, after } }).signal, 'SIGKILL');
      if (!after) await prepare({ ...base, output });
      assert.deepEqual(await contents(output), reference);
    }
    await assert.rejects(prepare({ ...base, output }), { name: 'UserError', message: /often exists already.*--overwrite/ });
    await prepare({ ...base, output, overwrite: true });
    assert.deepEqual(await contents(output), reference);
    assert.deepEqual(await leftovers(), []);
  });

  it('killed while it replaces, the old data stays', async () => {
    await fs.rm(at('old'), { recursive: true, force: true });
    await prepare({ ...base, output: at('old'), seed: 8 });
    const old = await contents(at('old'));
    assert.equal(inChild({ output: at('old'), overwrite: true, die: { rename: 6 } }).signal, 'SIGKILL');
    assert.deepEqual(await contents(at('old')), old);
    assert.equal(inChild({ output: at('old'), overwrite: true, die: { to: at('old') } }).signal, 'SIGKILL'); // between its two renamings
    await prepare({ ...base, output: at('old'), overwrite: true });
    assert.deepEqual(await contents(at('old')), reference);
  });

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`${signal}: finishes its shard, says how to go on, exits with ${code}`, async () => {
      await fs.rm(at('stopped'), { recursive: true, force: true });
      const shardTokens = 400;
      const { status, stderr } = inChild({ output: at('stopped'), shardTokens, interrupt: signal });
      assert.equal(status, code, stderr);
      assert.match(stderr, /Stopping after this shard.*\nStopped by SIG\w+. The same command goes on\./s);
      const { train } = JSON.parse(await fs.readFile(at('.stopped.preparing/progress.json'), 'utf8'));
      await prepare({ ...base, shardTokens, output: at('stopped') });
      await prepare({ ...base, shardTokens, output: at('not stopped'), overwrite: true });
      const whole = await contents(at('not stopped'));
      assert.deepEqual(await contents(at('stopped')), whole);
      const all = [...whole.keys()].filter((name) => name.startsWith('train-')).length;
      assert.ok(train.shards.length >= 1 && train.shards.length < all, `${train.shards.length} of ${all}`);
    });
  }

  it('with other options, another tokenizer or other text, it starts anew and says so', async () => {
    const other = trainTokenizer(['other'], { kind: 'bpe', vocabSize: 280 });
    const changed: Partial<PrepareOptions>[] = [
      { seed: 8 },
      { evalFraction: 0.3 },
      { tokenizer: other },
      { allowSpecial: true },
      { corpora: [base.corpora[1], base.corpora[0]] },
    ];
    for (const change of changed) {
      const controller = new AbortController();
      const options = { ...base, output: at('changed'), overwrite: true };
      const onProgress = ({ phase }: { phase: string }) => {
        if (phase === 'encode') controller.abort();
      };
      await assert.rejects(prepare({ ...options, signal: controller.signal, onProgress }), { name: 'AbortError' });
      const said: string[] = [];
      await prepare({ ...options, ...change, say: (text) => said.push(text) });
      assert.match(said.join(), /starting anew/);
      await prepare({ ...options, ...change, output: at('fresh'), overwrite: true });
      assert.deepEqual(await contents(at('changed')), await contents(at('fresh')));
    }
  });

  it('another mixture alone does not start anew', async () => {
    const controller = new AbortController();
    const options = { ...base, output: at('mixed') };
    const mixture = { wiki: 1, c4: 2, books: 0 };
    await assert.rejects(
      prepare({ ...options, signal: controller.signal, onProgress: ({ phase }) => phase === 'encode' && controller.abort() }),
      {
        name: 'AbortError',
      },
    );
    const said: string[] = [];
    const dataset = await prepare({ ...options, mixture, say: (text) => said.push(text) });
    assert.match(said.join(), /going on/);
    assert.deepEqual(dataset.mixture, mixture);
    assert.deepEqual(await fs.readFile(at('mixed/train-00001.arrow')), reference.get('train-00001.arrow'));
  });

  it('keeps a tokenizer that it has trained', async () => {
    const options = { ...base, tokenizer: { kind: 'bpe', vocabSize: 300 } as const, output: at('trained') };
    assert.equal(inChild({ ...options, die: { rename: 1, after: true } }).signal, 'SIGKILL');
    const phases = new Set<string>();
    await prepare({ ...options, onProgress: ({ phase }) => phases.add(phase) });
    assert.deepEqual([...phases], ['read', 'encode']);
    await prepare({ ...options, output: at('trained at once'), onProgress: ({ phase }) => phases.add(phase) });
    assert.ok(phases.has('count'));
    assert.deepEqual(await contents(at('trained')), await contents(at('trained at once')));
  });

  it('damaged work is thrown away, not gone on with', async () => {
    assert.equal(inChild({ output: at('damaged'), die: { rename: 8 } }).signal, 'SIGKILL');
    await fs.truncate(at('.damaged.preparing/tokens/train-00000.arrow'), 100);
    const said: string[] = [];
    await prepare({ ...base, output: at('damaged'), say: (text) => said.push(text) });
    assert.match(said.join(), /starting anew/);
    assert.deepEqual(await contents(at('damaged')), reference);
  });

  it('one process at a time prepares an output; the lock of one that is no more is taken over', async () => {
    const locks = async () => (await leftovers()).filter((name) => name.includes('locked'));
    const first = prepare({ ...base, output: at('locked') });
    const second = prepare({ ...base, output: at('locked') });
    const results = await Promise.allSettled([first, second]);
    const [refused] = results.filter((result) => result.status === 'rejected');
    assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
    assert.match(
      String(refused.reason),
      new RegExp(`UserError: prepare data: one process at a time may prepare .*process ${process.pid} does`),
    );
    assert.deepEqual(await contents(at('locked')), reference);
    await fs.writeFile(at('.locked.preparing.lock'), '999999999\n');
    await prepare({ ...base, output: at('locked'), overwrite: true });
    assert.deepEqual(await locks(), []);
  });

  it('no space left: says so, keeps what is finished and goes on when there is room', async function () {
    await fs.mkdir(at('small'), { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=100k', 'tmpfs', at('small')], { stdio: 'pipe' });
    } catch (error) {
      console.log(`      skipped: a small tmpfs cannot be mounted here (${(error as Error).message.split('\n')[0]})`);
      return this.skip();
    }
    try {
      const options = { ...base, output: at('small/tokens') };
      await assert.rejects(prepare(options), {
        name: 'UserError',
        message: /small\/tokens: there is no space left on its disk \(ENOSPC\).*What is finished is kept in .*the same command goes on/s,
      });
      assert.deepEqual((await fs.readdir(at('small'))).sort(), ['.tokens.preparing']);
      execFileSync('mount', ['-o', 'remount,size=4m', at('small')]);
      const said: string[] = [];
      await prepare({ ...options, say: (text) => said.push(text) });
      assert.match(said.join(), /going on after/);
      assert.deepEqual(await contents(at('small/tokens')), reference);
    } finally {
      execFileSync('umount', [at('small')]);
    }
  });
});
