import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import { ArrowFile, corpusBatch, corpusSchema } from '../../datasets/arrow.js';
import { readTokenizer, trainTokenizer } from '../../tokenizer/index.js';
import { packageRoot } from '../../util/package-root.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { withoutColour } from '../util/environment.js';
import { fourfold } from './capture.js';

const texts = Array.from({ length: 50 }, (_, i) => `The ${i}th fox thought of the other foxes, of all those others; 模型 ${i}.`);

describe('fourfold tokenizer', () => {
  const at = temporaryFolder();
  withoutColour();
  const expected = trainTokenizer(texts, { kind: 'bpe', vocabSize: 320 });

  before(async () => {
    const schema = corpusSchema(new Map([['importer', 'text']]));
    const corpus = new ArrowFile(at('corpus.arrow'), schema);
    await corpus.write(corpusBatch(schema, texts.slice(0, 30), Array(30).fill('first')));
    await corpus.write(corpusBatch(schema, texts.slice(30), Array(20).fill('second')));
    await corpus.close();
    await fs.writeFile(at('rows.jsonl'), `${texts.map((text) => JSON.stringify({ text })).join('\n')}\n{"text"\n`);
    await fs.writeFile(at('expected.json'), JSON.stringify(expected));
    await fs.writeFile(at('latin1.txt'), Buffer.from('abc caf\u00e9', 'latin1'));
  });

  /** The error of a command line, which must be one line, after what was left out. */
  async function error(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await fourfold('tokenizer', ...argv);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^(left out, .*\n)?error: .*\n$/);
    return stderr;
  }

  describe('train', () => {
    it('trains on a corpus, into a file or a folder', async () => {
      const { code, stdout } = await fourfold(
        'tokenizer',
        'train',
        at('corpus.arrow'),
        '-o',
        at('new/trained.json'),
        '--vocab-size',
        '320',
      );
      assert.deepEqual([code, stdout], [0, `${at('new/trained.json')}: bpe, 320 tokens, sha256 ${expected.hash().slice(0, 12)}\n`]);
      assert.equal((await readTokenizer(at('new/trained.json'))).hash(), expected.hash());
      const folder = await fourfold('tokenizer', 'train', at('corpus.arrow'), '-o', at('folder'), '--vocab-size', '320', '--threads', '1');
      assert.equal(folder.code, 0);
      assert.equal((await readTokenizer(at('folder'))).hash(), expected.hash());
    });

    it('trains on rows to the same, and counts those that cannot be used', async () => {
      const { code, stderr } = await fourfold('tokenizer', 'train', at('rows.jsonl'), '-o', at('rows.json'), '--vocab-size', '320');
      assert.equal(code, 0);
      assert.match(stderr, /^left out, .*: 1\. data import writes down which and why\n$/);
      assert.equal((await readTokenizer(at('rows.json'))).hash(), expected.hash());
    });

    it('passes on what is asked for', async () => {
      const train = async (...options: string[]) => {
        const { code, stdout } = await fourfold(
          'tokenizer',
          'train',
          at('corpus.arrow'),
          '-o',
          at('options.json'),
          '--overwrite',
          ...options,
        );
        assert.equal(code, 0);
        return { tokenizer: await readTokenizer(at('options.json')), stdout };
      };
      const short = await train('--max-token-bytes', '4', '--min-frequency', '40');
      const options = { kind: 'bpe', maxTokenBytes: 4, minFrequency: 40 } as const;
      assert.equal(short.tokenizer.hash(), trainTokenizer(texts, options).hash());
      assert.match(short.stdout, /\nfewer than 4,096: the text has no more pairs that are seen 40 times\n$/);
      const char = await train('--kind', 'char', '--no-special-tokens');
      assert.equal(char.tokenizer.hash(), trainTokenizer(texts, { kind: 'char', specialTokens: false }).hash());
      const word = await train('--kind', 'word', '--vocab-size', '30');
      assert.equal(word.tokenizer.hash(), trainTokenizer(texts, { kind: 'word', vocabSize: 30 }).hash());
    });

    it('leaves a file that is there as it is, unless told', async () => {
      await fs.writeFile(at('mine.json'), 'mine');
      const argv = ['train', at('corpus.arrow'), '-o', at('mine.json')];
      assert.match(await error(...argv), /the output .*mine\.json exists already\. Choose another, or say --overwrite/);
      assert.match(await error('train', at('none.arrow'), '-o', at('mine.json'), '--overwrite'), /none\.arrow/);
      assert.equal(await fs.readFile(at('mine.json'), 'utf8'), 'mine');
      assert.equal((await fourfold('tokenizer', ...argv, '--overwrite')).code, 0);
      assert.equal((await readTokenizer(at('mine.json'))).kind, 'bpe');
    });

    it('says what is wrong with its input, and writes nothing', async () => {
      await fs.writeFile(at('empty.txt'), '');
      const argv = ['-o', at('never.json')];
      assert.match(await error('train', at('none.txt'), ...argv), /none\.txt/);
      assert.match(
        await error('train', at('empty.txt'), ...argv),
        /^left out, empty: 1\. .*\nerror: train tokenizer: there must be text to train on; received none/,
      );
      assert.match(await error('train', at('corpus.arrow'), ...argv, '--vocab-size', '100'), /at least 272 .*; received 100/);
      assert.match(await error('train', at('corpus.arrow'), ...argv, '--kind', 'word', '--max-token-bytes', '3'), /needs kind: bpe/);
      await assert.rejects(fs.stat(at('never.json')));
    });
  });

  describe('encode and decode', () => {
    it('print ids, tokens, and the text again', async () => {
      const text = 'The fox, 模\n';
      const ids = expected.encode(text).join(' ');
      const encoded = await fourfold('tokenizer', 'encode', at('expected.json'), text);
      assert.deepEqual([encoded.code, encoded.stdout], [0, `${ids}\n`]);
      const decoded = await fourfold('tokenizer', 'decode', at('expected.json'), ...ids.split(' '));
      assert.deepEqual([decoded.code, decoded.stdout], [0, text]);
      const { stdout } = await fourfold('tokenizer', 'encode', at('expected.json'), ' fox\n', '--tokens');
      assert.equal(stdout.replaceAll(/^\s*\d+/gm, ''), '  ␣fox\n  ↵\n');
    });

    it('read a file, special tokens as text unless they are allowed', async () => {
      await fs.writeFile(at('text.txt'), '<|eos|>a');
      const argv = ['tokenizer', 'encode', at('expected.json'), '--file', at('text.txt')];
      assert.equal((await fourfold(...argv)).stdout, `${expected.encode('<|eos|>a').join(' ')}\n`);
      assert.equal((await fourfold(...argv, '--allow-special')).stdout, `1 ${expected.encode('a').join(' ')}\n`);
    });

    it('pass text of any bytes through a pipe', async () => {
      const text = 'a\r\n\0 模型 👩‍👧\n\n';
      const ids = await piped(['tokenizer', 'encode', at('expected.json')], text);
      assert.equal(await piped(['tokenizer', 'decode', at('expected.json')], ids), text);
    });

    it('say what is wrong', async () => {
      const tokenizer = at('expected.json');
      assert.match(await error('encode', tokenizer, ''), /there must be text; received none/);
      assert.match(await error('encode', tokenizer, 'a', '--file', at('text.txt')), /argument or a file; received both/);
      assert.match(await error('encode', tokenizer, '--file', at('none')), /none must be a text file; it cannot be read \(ENOENT\)/);
      assert.match(await error('encode', tokenizer, '--file', at()), /must be a text file; it is a directory/);
      assert.match(await error('encode', tokenizer, '--file', at('latin1.txt')), /must be UTF-8; it is not from byte 7 on/);
      assert.match(await error('encode', at('none.json'), 'a'), /none\.json must be a file/);
      assert.match(await error('encode', at('corpus.arrow'), 'a'), /must be JSON/);
      assert.match(await error('decode', tokenizer, '5', '320'), /from 0 to 319; received "320", number 2 of 2/);
      assert.match(await error('decode', tokenizer, '1.5'), /received "1\.5"/);
      assert.match(await error('decode', tokenizer, 'x'), /received "x"/);
      assert.match(await error('decode', tokenizer, ' '), /received none/);
    });
  });

  describe('inspect', () => {
    it('prints what a tokenizer is, how it fits texts by source, and a text in its tokens', async () => {
      const { code, stdout } = await fourfold('tokenizer', 'inspect', at('expected.json'), at('corpus.arrow'), '--text', 'The fox');
      assert.equal(code, 0);
      assert.match(stdout, /^kind +bpe\ntokens +320$/m);
      assert.match(stdout, new RegExp(`^sha256 +${expected.hash()}$`, 'm'));
      const tokens = texts.slice(0, 30).reduce((sum, text) => sum + expected.encode(text).length, 0);
      const bytes = Buffer.byteLength(texts.slice(0, 30).join(''));
      assert.match(
        stdout,
        new RegExp(`^first +30 +${bytes.toLocaleString('en')} +${tokens.toLocaleString('en')} +${(bytes / tokens).toFixed(2)}$`, 'm'),
      );
      assert.match(stdout, /^second +20 /m);
      assert.match(stdout, /^The\| fox$/m);
    });

    it('writes a page, and leaves one that is there unless told', async () => {
      const argv = ['inspect', at('expected.json'), '--text', '<b> 模', '--html', at('page.html')];
      const { code, stdout } = await fourfold('tokenizer', ...argv);
      assert.deepEqual([code, stdout], [0, `${at('page.html')}: written. Open it in a browser\n`]);
      const page = await fs.readFile(at('page.html'), 'utf8');
      assert.match(page, /^<!doctype html>[\s\S]*<h2>Text<\/h2>[\s\S]*&lt;[\s\S]*<h2>Longest tokens<\/h2>/);
      assert.match(await error(...argv), /page\.html exists already/);
      assert.equal((await fourfold('tokenizer', ...argv, '--overwrite')).code, 0);
    });

    it('says what is wrong', async () => {
      assert.match(await error('inspect', at('rows.jsonl')), /must be JSON/);
      assert.match(await error('inspect', at('expected.json'), at('none.arrow')), /none\.arrow/);
      assert.match(await error('inspect', at('expected.json'), '--text', ''), /received an empty one/);
    });
  });
});

/** Runs a command in a process of its own, with `input` on its stdin; gives what it prints. */
function piped(argv: string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', 'cli/main.ts', ...argv], { cwd: packageRoot() });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject).on('close', (code) => (code === 0 ? resolve(stdout) : reject(new Error(stderr))));
    child.stdin.end(input);
  });
}
