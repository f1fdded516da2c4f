import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import fc from 'fast-check';
import { readBatches, readMetadata } from '../../datasets/arrow.js';
import { isHeldOut } from '../../datasets/documents.js';
import { importCorpus } from '../../datasets/import.js';
import { prepare } from '../../datasets/prepare.js';
import { trainTokenizerOn } from '../../datasets/train-tokenizer.js';
import { loadTokenizer, trainTokenizer } from '../../tokenizer/index.js';
import { documents } from './documents.js';
import { temporaryFolder } from './temporary.js';

const lines = Array.from({ length: 200 }, (_, i) => `line ${i} of the text, 模型 🎉 ${'again '.repeat(i % 7)}`);

describe('preparing data', () => {
  const at = temporaryFolder();
  const corpusOf = async (text: string, document: 'file' | 'line' = 'line') => {
    await fs.writeFile(at('text.txt'), text);
    await importCorpus({ paths: [at('text.txt')], output: at('corpus.arrow'), document, overwrite: true });
    return at('corpus.arrow');
  };
  const read = async (part: string, shards: readonly { file: string }[]) => {
    const rows: { ids: number[]; bytes: number; source: string }[] = [];
    for (const { file: shard } of shards) {
      assert.ok(shard.startsWith(part));
      for await (const batch of readBatches(at(`tokens/${shard}`)))
        for (const row of batch) rows.push({ ids: [...row.ids], bytes: row.bytes, source: row.source });
    }
    return rows;
  };

  it('writes each document as bos, text, eos with its bytes, in shards that add up', async () => {
    const corpus = await corpusOf(lines.join('\n'));
    const tokenizer = trainTokenizer(lines, { kind: 'bpe', vocabSize: 300 });
    const summary = await prepare({
      corpora: [corpus],
      tokenizer,
      output: at('tokens'),
      overwrite: true,
      split: 'hash',
      evalFraction: 0.2,
      seed: 7,
      shardTokens: 1000,
    });
    assert.ok(summary.train.shards.length > 1);
    const seen: string[] = [];
    for (const part of ['train', 'eval'] as const) {
      const rows = await read(part, summary[part].shards);
      assert.equal(rows.length, summary[part].documents);
      assert.equal(
        rows.reduce((sum, { ids }) => sum + ids.length, 0),
        summary[part].tokens,
      );
      for (const { ids, bytes, source } of rows) {
        const text = tokenizer.decode(ids, { skipSpecial: true });
        assert.deepEqual(ids, [0, ...tokenizer.encode(text), 1]);
        assert.equal(bytes, Buffer.byteLength(text));
        assert.equal(source, 'text');
        assert.equal(isHeldOut(text, 0.2), part === 'eval');
        seen.push(text);
      }
    }
    assert.deepEqual(seen.sort(), [...lines].sort());
    const metadata = await readMetadata(at('tokens/train-00000.arrow'));
    assert.deepEqual([metadata.get('tokenizer_sha256'), metadata.get('seed'), metadata.get('importer')], [tokenizer.hash(), '7', 'text']);
    assert.equal(metadata.get('source_sha256'), (await readMetadata(corpus)).get('source_sha256'));
    assert.equal(loadTokenizer(JSON.parse(await fs.readFile(at('tokens/tokenizer.json'), 'utf8'))).hash(), tokenizer.hash());
  });

  it('gives equal files for equal data', async () => {
    const corpus = await corpusOf(lines.join('\n'));
    const tokenizer = trainTokenizer(lines, { kind: 'bpe', vocabSize: 300 });
    const contents: Buffer[][] = [];
    for (let run = 0; run < 2; run++) {
      await prepare({ corpora: [corpus], tokenizer, output: at('tokens'), split: 'hash', evalFraction: 0.2, seed: 7, overwrite: true });
      contents.push(await Promise.all((await fs.readdir(at('tokens'))).sort().map((name) => fs.readFile(at(`tokens/${name}`)))));
    }
    assert.deepEqual(contents[0], contents[1]);
  });

  it("tail: cuts one document at nanoGPT's character, and adds nothing where there are no special tokens", async () => {
    const text = `${'abc 🎉 模型\n'.repeat(37)}end`;
    const tokenizer = trainTokenizer([text], { kind: 'char', specialTokens: false });
    const summary = await prepare({
      corpora: [await corpusOf(text, 'file')],
      tokenizer,
      output: at('tokens'),
      overwrite: true,
      split: 'tail',
      evalFraction: 0.1,
      seed: 1,
    });
    const characters = [...text];
    const cut = Math.floor(characters.length * 0.9);
    const [train] = await read('train', summary.train.shards);
    const [heldOut] = await read('eval', summary.eval.shards);
    assert.equal(tokenizer.decode(train.ids), characters.slice(0, cut).join(''));
    assert.equal(tokenizer.decode(heldOut.ids), characters.slice(cut).join(''));
    assert.equal(train.ids.length, cut);
  });

  it('tail: cuts many documents once, and loses nothing', async () => {
    const corpus = await corpusOf(lines.join('\n'));
    for (const evalFraction of [0, 0.1, 0.5, 0.99]) {
      const parts = { train: '', eval: '' };
      for await (const { text, part } of documents([corpus], { split: 'tail', evalFraction })) {
        assert.ok(part === 'eval' || parts.eval === '');
        parts[part] += text;
      }
      assert.equal(parts.train + parts.eval, lines.join(''));
      assert.equal([...parts.train].length, Math.floor([...lines.join('')].length * (1 - evalFraction)));
    }
  });

  it('hash: holds out about the fraction asked for, and more of it only adds', () => {
    const texts = Array.from({ length: 5000 }, (_, i) => `text ${i}`);
    const heldOut = texts.filter((text) => isHeldOut(text, 0.1));
    assert.ok(Math.abs(heldOut.length - 500) < 100);
    fc.assert(fc.property(fc.string(), (text) => !isHeldOut(text, 0.1) || isHeldOut(text, 0.2)));
  });

  it('trains a tokenizer on the training part alone, a char one on all characters', async () => {
    const corpus = await corpusOf(`${'a'.repeat(90)}${'zzzzzzzzzz'}`, 'file');
    const split = { split: 'tail', evalFraction: 0.1 } as const;
    assert.equal((await trainTokenizerOn([corpus], split, { kind: 'bpe', vocabSize: 400 })).idOf('zz'), undefined);
    assert.equal((await trainTokenizerOn([corpus], split, { kind: 'char', specialTokens: false })).vocabSize, 2);
  });

  it('does not replace a folder of something else, nor leave half of one', async () => {
    const corpus = await corpusOf('one document', 'file');
    const tokenizer = trainTokenizer(['one document'], { kind: 'char' });
    const options = { corpora: [corpus], tokenizer, split: 'hash', evalFraction: 0.5, seed: 1 } as const;
    await fs.mkdir(at('precious'));
    await fs.writeFile(at('precious/thesis.tex'), '');
    await assert.rejects(prepare({ ...options, output: at('precious') }), { name: 'UserError', message: /it holds thesis.tex/ });
    await assert.rejects(prepare({ ...options, output: at('fresh') }), {
      name: 'UserError',
      message: /part of 1 documents is empty.*split: tail/s,
    });
    assert.deepEqual(
      (await fs.readdir(at())).filter((name) => name.includes('fresh')),
      [],
    );
  });

  it('says what is wrong with a corpus', async () => {
    const tokenizer = trainTokenizer(['x'], { kind: 'char' });
    const failing = (corpus: string) =>
      prepare({ corpora: [corpus], tokenizer, output: at('none'), split: 'tail', evalFraction: 0.1, seed: 1 });
    await fs.writeFile(at('not.arrow'), 'text, not Arrow, though it is long enough to be taken for it');
    await assert.rejects(failing(at('missing.arrow')), { name: 'UserError', message: /cannot be opened \(ENOENT\)/ });
    await assert.rejects(failing(at('not.arrow')), { name: 'UserError', message: /must be an Arrow IPC file/ });
  });
});
