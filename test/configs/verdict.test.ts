import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { fieldsOf } from '../../configs/fields.js';
import { loadVerdictConfig, parseVerdictConfig, resolveVerdictConfig } from '../../configs/load.js';
import { verdictKeys } from '../../configs/verdict-keys.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { row } from './key-table.js';

const faults = (text: string, ...overrides: string[]): string[] => {
  try {
    parseVerdictConfig(text, 'c.yaml', overrides);
  } catch (error) {
    assert.equal((error as Error).name, 'UserError');
    return (error as Error).message.split('\n').slice(1);
  }
  return [];
};

describe('a configuration of a verdict', () => {
  const at = temporaryFolder();
  const least = 'world: w\ndata: d.arrow\nmodels:\n  sft: { checkpoint: s }\n';

  it('fills in what is not given', () => {
    const { models, reference, eval_fraction, max_tokens, examples, seed, limit } = parseVerdictConfig(least, 'c');
    assert.deepEqual(models, { sft: { checkpoint: 's' } });
    assert.deepEqual([reference, eval_fraction, max_tokens, examples, seed, limit], ['sft', undefined, 80, 12, 1337, undefined]);
    assert.equal(parseVerdictConfig(`${least}conversations: c.arrow`, 'c').eval_fraction, 0.03);
  });

  it('is read from a file and the command line, which reaches the models by their names, or from an object', async () => {
    for (const name of ['w', 'd.arrow', 's', 't']) await fs.writeFile(at(name), '');
    const here = (name: string) => JSON.stringify(at(name));
    await fs.writeFile(at('c.yaml'), `world: ${here('w')}\ndata: ${here('d.arrow')}\nmodels:\n  sft: { checkpoint: ${here('s')} }\n`);
    const config = await loadVerdictConfig(at('c.yaml'), [`models.base.checkpoint=${at('t')}`, 'models.base.few_shot=2', 'limit=9']);
    assert.deepEqual(config.models, { sft: { checkpoint: at('s') }, base: { checkpoint: at('t'), few_shot: 2 } });
    assert.equal(config.limit, 9);
    assert.deepEqual(resolveVerdictConfig(config), config);
    await assert.rejects(
      loadVerdictConfig(at('c.yaml'), [`models.base.checkpoint=${at('none')}`]),
      /models\.base\.checkpoint: there is no such file; received ".*none"; name a checkpoint/,
    );
  });

  it('says what is wrong of each key, those of the models by their names', () => {
    assert.deepEqual(
      faults(`world: w\nmodels:\n  sft: { chekpoint: s, few_shot: 1.5 }\n  "a b": { checkpoint: s, best_of: 1 }\nlimits: 3\n`),
      [
        'c.yaml:1:1: data: is required; received nothing; for example data: data/world/prompts-report.arrow',
        'c.yaml:3:3: models.sft.checkpoint: is required; received nothing; for example models.sft.checkpoint: runs/sft/final',
        'c.yaml:3:10: models.sft.chekpoint: there is no such key; received "s"; did you mean models.sft.checkpoint?',
        'c.yaml:3:34: models.sft.few_shot: must be a whole number, 0 or more; received 1.5; leave it out for the default: none',
        'c.yaml:4:10: models.a b: must have a name of letters, digits, - and _; received {"checkpoint":"s","best_of":1}; for example models: {sft: {checkpoint: runs/sft/final}}',
        'c.yaml:5:1: limits: there is no such key; received 3; did you mean limit?',
      ],
    );
  });

  it('holds the rules between keys', () => {
    assert.match(
      faults('world: w\ndata: d\nmodels: {}')[0],
      /^c\.yaml:3:9: models: must name at least one model; received none; for example/,
    );
    assert.match(faults('world: w\ndata: d')[0], /models: is required; received nothing; for example models: \{sft: \{checkpoint: runs/);
    assert.match(
      faults(least, 'models.a.checkpoint=s', 'models.a.best_of=4')[0],
      /models\.a\.best_of: needs reward, a model to choose by; received 4/,
    );
    assert.deepEqual(faults(least, 'models.a.checkpoint=s', 'models.a.best_of=4', 'reward=r'), []);
    assert.match(faults(least, 'reference=ppo')[0], /reference: must be the name of a model: sft; received "ppo"; name one of them/);
    assert.match(
      faults(least.replace('sft', 'mine'))[0],
      /reference: is required where no model has the name sft; received nothing; for example reference: mine/,
    );
    assert.match(faults(least, 'eval_fraction=0.1')[0], /eval_fraction: is for conversations, which names none; received 0\.1/);
    assert.match(faults(least, 'eval_fraction=0', 'conversations=c')[0], /eval_fraction: must leave something held out; received 0/);
    assert.match(faults(least, 'device=wasm', 'precision=bf16')[0], /precision: bf16 is for the native device/);
  });

  it('has every key in docs/evaluation.md, with its default and meaning', async () => {
    const docs = await fs.readFile('docs/evaluation.md', 'utf8');
    for (const field of fieldsOf(verdictKeys).values())
      if (field.kind !== 'section') assert.ok(docs.includes(`${row(field)}\n`), row(field));
  });
});
