import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { fieldsOf } from '../../configs/fields.js';
import { loadSelectConfig, parseSelectConfig, resolveSelectConfig } from '../../configs/load.js';
import { selectKeys } from '../../configs/select-keys.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { row } from './key-table.js';

const faults = (text: string, ...overrides: string[]): string[] => {
  try {
    parseSelectConfig(text, 'c.yaml', overrides);
  } catch (error) {
    assert.equal((error as Error).name, 'UserError');
    return (error as Error).message.split('\n').slice(1);
  }
  return [];
};

describe('a configuration of data select', () => {
  const at = temporaryFolder();

  it('fills in what is not given', () => {
    const { strategies, seed, near_duplicates, length, language, ifd } = parseSelectConfig('strategies: [language, near_duplicates]', 'c');
    assert.deepEqual([strategies, seed], [['language', 'near_duplicates'], 1337]);
    assert.deepEqual(near_duplicates, { threshold: 0.8, words: 5 });
    assert.deepEqual([length, language, ifd], [{ min_answer_tokens: 2 }, { keep: ['en', 'zh'] }, { below: 1 }]);
  });

  it('is read from a file, the command line, both, or an object', async () => {
    await fs.writeFile(at('c.yaml'), 'strategies: [repetition]\nrepetition: { max_lines: 0.5 }\n');
    const both = await loadSelectConfig(at('c.yaml'), ['budget=7', 'repetition.words=3']);
    assert.deepEqual([both.budget, both.repetition], [7, { max_lines: 0.5, max_ngrams: 0.3, words: 3 }]);
    const alone = await loadSelectConfig(undefined, ['strategies=[language]', 'language.keep=[zh]']);
    assert.deepEqual([alone.strategies, alone.language.keep], [['language'], ['zh']]);
    assert.deepEqual(resolveSelectConfig({ strategies: ['language'], language: { keep: ['zh'] } }), alone);
    await assert.rejects(loadSelectConfig(at('none.yaml')), /there is no such file; received .*none\.yaml"; name a YAML file$/);
  });

  it('says everything that is wrong, each with its place', () => {
    const found = faults(`strategies: [near_duplicate, ifd, reward, ifd]
budgett: 12
ifd: {keep: 3, kep: 2}
language: {keep: [en, de]}
`);
    assert.deepEqual(found, [
      'c.yaml:1:1: reward: would drop nothing; received no limit; give reward.min or reward.keep',
      'c.yaml:1:1: reward.model: is required by reward; received nothing; for example reward.model: runs/reward/final',
      'c.yaml:1:1: checkpoint: is required by ifd; received nothing; for example checkpoint: runs/base/final',
      'c.yaml:1:14: strategies[0]: must be one of near_duplicates, length, repetition, language, perplexity, ifd, reward, diversity; received "near_duplicate"; did you mean near_duplicates?',
      'c.yaml:2:1: budgett: there is no such key; received 12; did you mean budget?',
      'c.yaml:3:13: ifd.keep: must be a number above 0, 1 at most; received 3; leave it out for the default: all that the limits leave',
      'c.yaml:3:16: ifd.kep: there is no such key; received 2; did you mean ifd.keep?',
      'c.yaml:4:11: language: is not one of the strategies that are run; received {"keep":["en","de"]}; add language to strategies, or remove it',
      'c.yaml:4:23: language.keep[1]: must be one of en, zh, other; received "de"; leave it out for the default: ["en","zh"]',
    ]);
  });

  it('holds the rules between keys', () => {
    const [budget] = faults('strategies: [diversity]\ncheckpoint: m');
    assert.match(budget, /budget: is required by diversity, which chooses so many; received nothing; for example budget: 1000/);
    assert.match(faults('strategies: [diversity, ifd]\ncheckpoint: m\nbudget: 5')[0], /diversity must be the last, as it takes the budget/);
    assert.match(faults('strategies: [length]')[0], /tokenizer: is required by length, where no checkpoint is named/);
    assert.match(faults('strategies: [length]\ncheckpoint: m\ntokenizer: t')[0], /only one of them is given/);
    assert.match(faults('strategies: [perplexity]\ncheckpoint: m')[0], /perplexity: would drop nothing; received no limit/);
    assert.match(faults('strategies: [perplexity, ifd]\ncheckpoint: m\nbudget: 5')[0], /perplexity: would drop nothing/);
    assert.deepEqual(faults('strategies: [ifd, perplexity]\ncheckpoint: m\nbudget: 5'), []);
    assert.match(faults('strategies: [language, language]')[0], /strategies: must name each once; received/);
    assert.match(
      faults('strategies: [perplexity]\ncheckpoint: m\nperplexity: {min: 3, max: 2}')[0],
      /perplexity\.min: must be no more than/,
    );
    assert.match(faults('strategies: []')[0], /strategies: must be a list of near_duplicates, /);
    assert.match(faults('')[0], /strategies: is required; received nothing; for example strategies: \[near_duplicates/);
  });

  it('has every key in docs/select.md, with its default and meaning', async () => {
    const docs = await fs.readFile('docs/select.md', 'utf8');
    for (const field of fieldsOf(selectKeys).values())
      if (field.kind !== 'section') assert.ok(docs.includes(`${row(field)}\n`), row(field));
  });
});
