import { z } from 'zod';
import { section, text, whole } from './fields.js';
import { pretrainKeys } from './keys.js';

const { device, precision } = pretrainKeys.shape;

export const stepKeys = section(
  {
    kind: text({ meaning: 'What the step does.', computed: 'its name' }).optional(),
    config_file: text({
      meaning: 'YAML file or ready configuration that `config` is laid over.',
      computed: 'none',
      example: 'world-sft',
    }).optional(),
    config: z.unknown().meta({ meaning: 'Its keys; `${STEP.OUTPUT}` is what an earlier step made.', computed: 'none' }).optional(),
    seconds: z
      .number({ error: 'must be a number above 0' })
      .positive({ error: 'must be a number above 0' })
      .meta({
        meaning: 'About how long it takes on two cores; only for the time left to be shown before it has run once.',
        computed: 'unknown',
      })
      .optional(),
  },
  { meaning: 'A step.' },
);

/** Every key of a pipeline but for those of its steps' own configurations. */
export const pipelineKeys = z.strictObject(
  {
    output_dir: text({ meaning: 'Directory of the run.', computed: 'runs/ and the name of the YAML file' }).default('runs/pipeline'),
    seed: whole(0, { meaning: 'Of every step that takes one and has none of its own.' }).default(1337),
    device,
    threads: whole(1, { meaning: 'Threads of each step; the result is the same.', computed: 'the physical cores' }).optional(),
    precision,
    steps: z
      .record(z.string().regex(/^[a-z][\w-]*$/i, { error: 'must begin with a letter' }), stepKeys, {
        error: 'must be a section of names, each with a step',
      })
      .meta({ meaning: 'The steps by their names, in order.', example: '{ world: { kind: world } }' }),
  },
  { error: 'must be a list of `key: value` lines' },
);

export type PipelineKeys = z.output<typeof pipelineKeys>;
