import fs from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../util/errors.js';

const whole = z.int().min(0);
const counts = { documents: whole, tokens: whole, bytes: whole };

const part = z.object({
  ...counts,
  /** The same by source, in the order of `sources`. */
  sources: z.array(z.object(counts)),
  /** Files and their record batches in order; a batch holds documents of one source, an index into `sources`. */
  shards: z.array(
    z.object({ file: z.string().regex(/^(train|eval)-\d+\.arrow$/), batches: z.array(z.object({ source: whole, ...counts })) }),
  ),
});

const dataset = z
  .object({
    tokenizer_sha256: z.string(),
    vocab_size: z.int().min(1),
    split: z.enum(['hash', 'tail']),
    eval_fraction: z.number(),
    seed: z.number(),
    importer: z.string(),
    source_sha256: z.string(),
    /** Weight of each source in training, where one was given. */
    mixture: z.record(z.string(), z.number()).optional(),
    /** How conversations became tokens, and what became of them; missing where the data is text. */
    conversations: z
      .object({
        template_sha256: z.string(),
        context_length: whole,
        train_on: z.string(),
        overlong: z.string(),
        allow_special: z.boolean(),
        rows: whole,
        /** Too long, and left out. */
        dropped: whole,
        /** Too long, and cut. */
        truncated: whole,
        /** Tokens to be predicted, and others. */
        supervised: whole,
        ignored: whole,
      })
      .optional(),
    /** Names of the sources. */
    sources: z.array(z.string()).min(1),
    train: part,
    eval: part,
  })
  .refine(
    ({ sources, train, eval: heldOut }) =>
      [train, heldOut].every(
        (part) =>
          part.sources.length === sources.length &&
          part.shards.every(({ batches }) => batches.every(({ source }) => source < sources.length)),
      ),
    { error: 'every source must be one of sources' },
  );

/** dataset.json of a directory of prepared tokens. */
export type Dataset = z.output<typeof dataset>;

/** Documents, tokens with bos and eos, and UTF-8 bytes of text. */
export type Counts = Dataset['train']['sources'][number];

/** @throws UserError when the directory holds no prepared tokens, or an earlier version's. */
export async function readDataset(directory: string): Promise<Dataset> {
  const file = path.join(directory, 'dataset.json');
  const fail = (received: string, cause: unknown) =>
    new UserError(`load data: ${directory} must be a directory of prepared tokens; ${received}. Make one with fourfold data prepare`, 1, {
      cause,
    });
  const text = await fs.readFile(file, 'utf8').catch((cause) => {
    throw fail(`${file} cannot be read (${cause.code})`, cause);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw fail(`${file} is not JSON (${(cause as Error).message})`, cause);
  }
  const { data, error } = dataset.safeParse(json);
  if (data) return data;
  const [{ path: at, message }] = error.issues;
  throw fail(
    `${file} is of another version or damaged: at ${at.join('.') || 'its top'}, ${message.replace('undefined', 'nothing')}`,
    error,
  );
}

/** dataset.json, with one line a record batch. */
export function datasetJson(dataset: Dataset): string {
  const json = JSON.stringify(dataset, null, 2).replace(/\{\s+("\w+": \d+,?\s+)+\}/g, (counts) => counts.replace(/\s+/g, ' '));
  return `${json}\n`;
}
