import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { ArrowFile, corpusBatch, corpusSchema } from '../../datasets/arrow.js';
import { conversationsBatch, conversationsSchema } from '../../datasets/conversations.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { withoutColour } from '../util/environment.js';
import { fourfold } from './capture.js';

describe('fourfold data inspect', () => {
  const at = temporaryFolder();
  withoutColour();

  before(async () => {
    const schema = corpusSchema(new Map([['importer', 'text']]));
    const file = new ArrowFile(at('corpus.arrow'), schema);
    await file.write(corpusBatch(schema, ['one', '樱花\nand more', 'three'], ['a', 'b', 'a']));
    await file.close();
  });

  it('prints what is in a file, and one row whole', async () => {
    const { code, stdout } = await fourfold('data', 'inspect', at('corpus.arrow'));
    assert.equal(code, 0);
    assert.match(stdout, /corpus\.arrow: a corpus of 3 documents, 23 bytes, 19 characters \(1 record batch, /);
    assert.match(stdout, /^ {2}importer {2}text$/m);
    assert.match(stdout, /^ {2}source {2}documents {2}bytes {2}characters {3}share {2}mean length {2}longest$/m);
    assert.match(stdout, /^ {2}b {15}1 {5}15 {10}11 {3}65\.2% {11}15 {7}15$/m);
    assert.match(stdout, /^ {2}all {13}3 {5}23 {10}19 {2}100\.0%/m);
    assert.match(stdout, /^ {4}2 – 4 {2}█+ 1 \(33\.3%\)$/m);
    const row = await fourfold('data', 'inspect', at('corpus.arrow'), '--row', '1');
    assert.deepEqual([row.code, row.stdout], [0, 'row 1 · b · 15 bytes\ntext\n樱花\nand more\n']);
  });

  it('writes the same as a page, and leaves what is there unless told', async () => {
    const argv = ['data', 'inspect', at('corpus.arrow'), '--html', at('page.html')];
    const { code, stdout } = await fourfold(...argv);
    assert.deepEqual([code, stdout], [0, `${at('page.html')}: written. Open it in a browser\n`]);
    const page = await fs.readFile(at('page.html'), 'utf8');
    assert.match(page, /^<!doctype html>/);
    assert.match(page, /<pre>樱花\nand more<\/pre>/);
    const again = await fourfold(...argv);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /^error: inspect data: .*page\.html exists already\. Choose another, or say --overwrite\n$/);
    assert.equal((await fourfold(...argv, '--row', '0', '--overwrite')).code, 0);
    assert.match(await fs.readFile(at('page.html'), 'utf8'), /<pre>one<\/pre>/);
  });

  it('prints conversations in messages and in tokens', async () => {
    const schema = conversationsSchema(new Map());
    const file = new ArrowFile(at('chats.arrow'), schema);
    const messages = [
      { role: 'user' as const, content: 'one?' },
      { role: 'assistant' as const, content: 'two' },
    ];
    await file.write(conversationsBatch(schema, [{ messages, source: 'a' }]));
    await file.close();
    await fs.writeFile(at('tokenizer.json'), JSON.stringify(trainTokenizer(['one two?'], { kind: 'char' })));
    const row = await fourfold('data', 'inspect', at('chats.arrow'), '--row', '0');
    assert.deepEqual([row.code, row.stdout], [0, 'row 0 · a · 7 bytes\nmessages\nuser       one?\nassistant  two\n']);
    const flags = ['--tokens', '--tokenizer', at('tokenizer.json'), '--train-on', 'all', '--context-length', '11'];
    const { code, stdout } = await fourfold('data', 'inspect', at('chats.arrow'), ...flags);
    assert.equal(code, 0);
    assert.match(stdout, /1 of 1 conversations is longer than the context of 11 tokens: row 0\./);
    assert.match(stdout, /^ {2}a {19}1 {6}12 {10}11 {8}1 /m);
    assert.match(stdout, /^ {4}<\|bos\|>\n {2}▌ <\|user\|>\|o\|n\|e\|\?\|<\|eos\|>\n {2}▌ <\|assistant\|>\|t\|w\|o\|<\|eos\|>$/m);
    const chatml = await fourfold('data', 'inspect', at('chats.arrow'), ...flags, '--template', 'chatml');
    assert.match(chatml.stdout, /not usable: chat template: a token of the tokenizer's own must end each answer/);
    assert.match((await fourfold('data', 'inspect', at('chats.arrow'), '--train-on', 'none')).stderr, /last_assistant/);
  });

  it('fails with a message', async () => {
    await fs.writeFile(at('raw.txt'), 'Once upon a time');
    const cases: [string[], RegExp][] = [
      [[at('corpus.arrow'), '--row', '3'], /^error: inspect data: the row must be from 0 to 2; received 3/],
      [[at('corpus.arrow'), '--row', '-1'], /It must be a whole number, 0 or more/],
      [[at('raw.txt')], /^error: read data: .*raw\.txt must be an Arrow IPC file; .* fourfold data import\n$/],
      [[at('corpus.arrow'), '--tokenizer', at('none.json')], /^error: .*none\.json/],
      [[at('corpus.arrow'), '--tokens'], /^error: inspect data: tokens are shown by a tokenizer; none is named.* --tokenizer PATH\n$/],
      [[at('')], /^error: inspect data: a directory must hold prepared tokens/],
    ];
    for (const [argv, message] of cases) {
      const { code, stderr } = await fourfold('data', 'inspect', ...argv);
      assert.deepEqual([code, argv], [1, argv]);
      assert.match(stderr, message);
    }
  });
});
