import assert from 'node:assert/strict';
import type { Command } from 'commander';
import { cleanCommand } from '../../cli/commands/data-clean.js';
import { importCommand } from '../../cli/commands/data-import.js';
import { prepareCommand } from '../../cli/commands/data-prepare.js';
import { rankCommand } from '../../cli/commands/data-rank.js';
import { worldCommand } from '../../cli/commands/data-world.js';
import { evalCommand } from '../../cli/commands/eval.js';
import { generateCommand } from '../../cli/commands/generate.js';
import { tokenizerCommand } from '../../cli/commands/tokenizer.js';
import { fieldsOf } from '../../configs/fields.js';
import { FORMATS } from '../../datasets/import.js';
import { KINDS } from '../../pipelines/kinds.js';

const COMMANDS: Record<string, Command> = {
  world: worldCommand(),
  tokenizer: tokenizerCommand().commands.find((command) => command.name() === 'train')!,
  import: importCommand(),
  clean: cleanCommand(),
  prepare: prepareCommand(),
  generate: generateCommand(),
  rank: rankCommand(),
  eval: evalCommand(),
};
/** Of a pipeline's step, not of its command: where it writes, and what only a person can say at a terminal. */
const COMMAND_ONLY = ['output', 'overwrite', 'json', 'guideline', 'stop'];
/** `clean` takes corpora and rule.key=value as its arguments. */
const AS_ARGUMENTS: Record<string, string[]> = { clean: ['corpora', 'parameters'] };

describe('the keys of a step', () => {
  for (const [name, command] of Object.entries(COMMANDS)) {
    it(`are the flags and arguments of its command: ${name}`, () => {
      const camel = (key: string) => key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
      const keys = Object.keys(KINDS[name].keys.shape).map(camel);
      const own = command.registeredArguments.map((argument) => argument.name());
      const given = [...command.options.map((option) => option.attributeName()), ...(AS_ARGUMENTS[name] ?? own)];
      assert.deepEqual(keys.sort(), given.filter((flag) => !COMMAND_ONLY.includes(flag)).sort());
    });
  }

  it('have the same defaults', () => {
    for (const [name, command] of Object.entries(COMMANDS)) {
      const fields = fieldsOf(KINDS[name].keys);
      for (const option of command.options) {
        const field = fields.get(option.attributeName().replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
        if (field === undefined || DIFFERENT.includes(`${name}.${field.key}`)) continue;
        const flag = option.negate ? true : option.defaultValue;
        const usual = field.key === 'format' && flag === 'auto' ? undefined : flag; // a word for what the key says by not being there
        assert.deepEqual(field.default, usual, `${name}.${field.key}`);
      }
    }
  });

  it('know the formats of an import', () => {
    assert.deepEqual([...fieldsOf(KINDS['import'].keys).get('format')!.choices!].sort(), [...FORMATS].sort());
  });
});

/** A step measures what is held out, and lets a model answer where it is told to. */
const DIFFERENT = ['eval.split', 'eval.generate', 'prepare.allow_special'];
