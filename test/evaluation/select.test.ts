import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { parseSelectConfig } from '../../configs/load.js';
import { readMetadata } from '../../datasets/arrow.js';
import { reportPath, type SelectOptions, selectConversations } from '../../evaluation/select/index.js';
import { selectionPage } from '../../evaluation/select/page.js';
import { selectionText } from '../../evaluation/select/terminal.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { saveTinyModel, tinyConfig } from '../sampler/tiny-model.js';
import { withoutColour } from '../util/environment.js';
import { asked, readChats, writeChats } from './select-helpers.js';

const WORDS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];

describe('a selection of conversations', () => {
  const at = temporaryFolder();
  withoutColour();
  const tokenizer = trainTokenizer([WORDS.join(' ')], { kind: 'bpe', vocabSize: 290 });
  const rows = Array.from({ length: 24 }, (_, i) => ({
    ...asked(
      `${WORDS[i % 7]} ${WORDS[(i * i) % 7]}?`,
      `${WORDS[(i + 3) % 7]} ${'so '.repeat(i % 5)}${WORDS[(i * 5) % 7]} ${i}`,
      i < 15 ? 'a' : 'b',
    ),
    weight: 1 + i / 8,
  }));
  rows[9] = { ...rows[9], messages: rows[4].messages };
  const select = (name: string, yaml: string, more: Partial<SelectOptions> = {}) => {
    const config = parseSelectConfig(yaml, 'c.yaml');
    return selectConversations({ table: at('chats.arrow'), output: at(name), config, device: 'auto', threads: 1, ...more });
  };
  const chain = () => `
checkpoint: ${at('model')}
strategies: [near_duplicates, length, ifd, diversity]
length: { min_answer_tokens: 4 }
ifd: { below: 9, keep: 0.8 }
budget: 6
`;
  before(async () => {
    await saveTinyModel(at('model'), tokenizer, { ...tinyConfig(tokenizer), max_position_embeddings: 64 });
    await writeChats(at('chats.arrow'), rows, [['importer', 'test'], ['source_sha256', 'abc']]); // biome-ignore format: short
  });

  it('runs each strategy on what those before it left, and keeps rows as they are, in their order', async () => {
    const report = await select('few.arrow', chain());
    const [first, ...others] = report.strategies;
    assert.deepEqual([first.rows, first.dropped, first.examples[0].reason], [24, 1, 'similarity 1 with row 4']);
    let left = 23;
    for (const { rows, dropped } of others) {
      assert.equal(rows, left);
      left -= dropped;
    }
    assert.equal(left, 6);
    const kept = await readChats(at('few.arrow'));
    const places = kept.map((row) => rows.findIndex(({ weight }) => weight === row.weight));
    assert.deepEqual(places, places.toSorted((a, b) => a - b)); // biome-ignore format: short
    assert.deepEqual(kept, places.map((place) => rows[place])); // biome-ignore format: short
    assert.deepEqual([report.before, report.after, kept.length], [24, 6, 6]);
    assert.deepEqual(report.sources.map(({ source, before }) => [source, before]), [['a', 15], ['b', 9]]); // biome-ignore format: short
    assert.equal(report.sources.reduce((sum, { after }) => sum + after, 0), 6); // biome-ignore format: short
  });

  it('gives the same bytes again, whatever the number of threads', async () => {
    await select('again.arrow', chain(), { threads: 2 });
    await select('few.arrow', chain(), { overwrite: true });
    const [one, other] = await Promise.all(['few.arrow', 'again.arrow'].map((name) => fs.readFile(at(name))));
    assert.ok(one.equals(other));
  });

  it('says in the metadata what it was made of and with, now and before', async () => {
    await select('few.arrow', chain(), { overwrite: true });
    await select('fewer.arrow', 'strategies: [repetition]\nbudget: 2\nseed: 5', { table: at('few.arrow') });
    const metadata = await readMetadata(at('fewer.arrow'));
    assert.deepEqual([metadata.get('importer'), metadata.get('source_sha256')], ['test', 'abc']);
    const [before, now] = JSON.parse(metadata.get('selected_with')!);
    assert.deepEqual(before.strategies[0], { strategy: 'near_duplicates', parameters: { threshold: 0.8, words: 5 } });
    assert.deepEqual([before.budget, before.tokenizer_sha256], [6, tokenizer.hash()]);
    assert.match(before.model_sha256, /^[0-9a-f]{64}$/);
    const parameters = { max_lines: 0.3, max_ngrams: 0.3, words: 5 };
    assert.deepEqual(now, { strategies: [{ strategy: 'repetition', parameters }], budget: 2, seed: 5 });
  });

  it('cuts to a budget by the last strategy that ranks, or else to a sample', async () => {
    const by = async (strategies: string, more = '') => {
      const report = await select('cut.arrow', `checkpoint: ${at('model')}\nstrategies: ${strategies}\nbudget: 5\n${more}`, {
        overwrite: true,
      });
      assert.equal(report.after, 5);
      const { strategy, reasons } = report.strategies.at(-1)!;
      assert.equal(strategy, 'budget');
      return reasons[0].rule;
    };
    assert.equal(await by('[ifd, perplexity]', 'ifd: {below: 9}'), 'beyond the budget, lowest perplexity first');
    assert.equal(
      await by('[perplexity, ifd, repetition]', 'ifd: {below: 9}\nperplexity: {max: 1e9}'),
      'beyond the budget, highest ifd first',
    );
    assert.equal(await by('[repetition]'), 'not in the sample by hash');
  });

  it('is shown with tables, histograms and examples, in a terminal and on a page', async () => {
    const report = await select('few.arrow', chain(), { overwrite: true });
    const text = selectionText(report);
    assert.match(text, /^ {2}strategy {9}rows {2}dropped {5}% {2}kept {2}why$/m);
    assert.match(text, /^ {2}near_duplicates {4}24 {8}1 {3}4\.2 {4}23 {2}similarity ≥ 0\.8$/m);
    assert.match(text, /^ifd \(below 9, keep 0\.8\)\n {2}ifd\n/m);
    assert.match(text, /█ \d+ kept\n.*▒ \d+ dropped/);
    assert.match(text, /row 9 · a · similarity 1 with row 4\n {2}user {7}five three\?/);
    assert.match(text, /^few\.arrow: 6 of 24 conversations of chats\.arrow$/m);
    const page = selectionPage(report);
    assert.match(page, /^<!doctype html>/);
    assert.match(page, /<h3>ifd<\/h3><table class="bars">/);
    assert.match(page, /<h4>row 9 · a · similarity 1 with row 4<\/h4><div class="turns">/);
    assert.deepEqual(JSON.parse(await fs.readFile(reportPath(at('few.arrow')), 'utf8')), JSON.parse(JSON.stringify(report)));
  });

  it('needs no model to count tokens', async () => {
    await fs.writeFile(at('tokenizer.json'), JSON.stringify(tokenizer));
    const yaml = `tokenizer: ${at('tokenizer.json')}\nstrategies: [length]\ncontext_length: 30`;
    const { strategies } = await select('short.arrow', yaml);
    assert.equal(strategies[0].reasons[0].rule, 'tokens > 30');
    const named = await select('model.arrow', `checkpoint: ${at('model')}\nstrategies: [length]`);
    assert.deepEqual(named.strategies[0].parameters, { min_answer_tokens: 2, max_tokens: 64 });
  });

  it('fails with a message, and leaves nothing behind', async () => {
    const fails = (message: RegExp, yaml: string, more: Partial<SelectOptions> = {}) =>
      assert.rejects(select('none.arrow', yaml, more), (error: Error) => error.name === 'UserError' && message.test(error.message));
    await fails(/at least one conversation must be left; of 24 .* length 24 \(such as: \d+ tokens < 500\)/, `tokenizer: ${at('tokenizer.json')}\nstrategies: [length]\nlength: {min_tokens: 500}`); // biome-ignore format: one line
    await fails(/context_length must be no more than what the model of .* reads, 64; received 65/, `checkpoint: ${at('model')}\nstrategies: [ifd]\ncontext_length: 65`); // biome-ignore format: one line
    await fails(/the output must be another file than the table/, 'strategies: [repetition]', { output: at('chats.arrow') });
    await fails(/few\.arrow exists already\. Choose another, or say --overwrite/, 'strategies: [repetition]', { output: at('few.arrow') });
    await fails(/must be an Arrow IPC file/, 'strategies: [repetition]', { table: at('tokenizer.json') });
    await writeChats(at('empty.arrow'), []);
    await fails(/empty\.arrow must have conversations; it has none/, 'strategies: [repetition]', { table: at('empty.arrow') });
    const names = await fs.readdir(at());
    assert.deepEqual(names.filter((name) => /none|tmp/.test(name)), []); // biome-ignore format: short
  });
});
