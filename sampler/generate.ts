// Legend: B rows, V vocabulary, L longest text in tokens.
import type * as tf from '@tensorflow/tfjs';
import { inputVariable, overwrite } from '../backends/recording.js';
import { type SamplingOptions, sampleTokens } from '../ops/sample.js';
import { type DecodingModel, decoder } from './decoder.js';

/** How a token is chosen; see ops/sample.ts. */
export type Sampling = Omit<SamplingOptions, 'previous'>;

export interface GenerateOptions {
  sampling: Sampling;
  maxTokens: number;
  /** Ids that end a text. */
  eos: ReadonlySet<number>;
  /** The draw for a token is a function of (seed, number of its prompt, number of the token), whatever else is in the batch. */
  seed: number;
  /** The prompts' numbers; their places in the list where not given. */
  numbers?: readonly number[];
  /** Texts that are made at the same time, at most. */
  batchSize?: number;
}

/** Called with each new token; `true` ends this prompt's text. */
export type OnToken = (prompt: number, token: number) => boolean | undefined;

export interface Generated {
  /** The new tokens of each prompt, the end of text included. */
  tokens: number[][];
  /** What they took, without the reading of the prompts. */
  seconds: number;
}

/** Continues each prompt; none may be empty. */
export async function generate(
  model: DecodingModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
  onToken?: OnToken,
): Promise<Generated> {
  const { batchSize = 32, numbers = prompts.map((_, i) => i) } = options;
  const all: Generated = { tokens: [], seconds: 0 };
  for (let first = 0; first < prompts.length; first += batchSize) {
    const rows = prompts.slice(first, first + batchSize).map((prompt, i) => ({ prompt, number: numbers[first + i], index: first + i }));
    const { tokens, seconds } = await generateBatch(model, rows, options, onToken);
    all.tokens.push(...tokens);
    all.seconds += seconds;
  }
  return all;
}

interface Row {
  prompt: readonly number[];
  number: number;
  /** Place among all prompts. */
  index: number;
}

async function generateBatch(model: DecodingModel, rows: readonly Row[], options: GenerateOptions, onToken?: OnToken): Promise<Generated> {
  const { maxTokens, eos } = options;
  const tokens: number[][] = rows.map(() => []);
  const longest = Math.max(...rows.map(({ prompt }) => prompt.length)) + maxTokens;
  const distinct = new Map(rows.map(({ prompt }) => [prompt.join(), prompt]));
  const chooser = tokenChooser(options, longest);
  const body = decoder(model, distinct.size, longest, chooser.head);
  try {
    // 1. Read each distinct prompt once, but for its last token, which the first step takes in.
    body.read([...distinct.values()].map((prompt) => prompt.slice(0, -1)));
    const readAs = [...distinct.keys()];
    body.reorder(rows.map(({ prompt }) => readAs.indexOf(prompt.join())));
    let running = rows.map((_, i) => i); // row of the decoder → row
    let feed = rows.map(({ prompt }) => prompt.slice(-1));
    const began = performance.now();

    // 2. One token for each running text.
    for (;;) {
      chooser.prepare(running.map((i) => ({ ...rows[i], text: tokens[i] })));
      const chosen = body.feed(feed);
      const ids = await chosen.data();
      chosen.dispose();
      feed = running.map((i, place) => {
        if (feed[place].length === 0) return [];
        const id = ids[place];
        tokens[i].push(id);
        const stopped = onToken?.(rows[i].index, id) === true;
        return stopped || eos.has(id) || tokens[i].length >= maxTokens ? [] : [id];
      });

      // 3. Finished texts leave when they are half of the batch: moving the cache costs as much as some steps.
      const open = running.map((_, place) => place).filter((place) => feed[place].length > 0);
      if (open.length === 0) return { tokens, seconds: (performance.now() - began) / 1000 };
      if (open.length * 2 <= running.length) {
        body.reorder(open);
        running = open.map((place) => running[place]);
        feed = open.map((place) => feed[place]);
      }
      await new Promise((resolve) => setImmediate(resolve)); // signals and output are handled between macrotasks
    }
  } finally {
    body.dispose();
    chooser.dispose();
  }
}

/** Chooses the next token of each row beside the logits. */
interface TokenChooser {
  /** Logits [B, V] to ids [B]. */
  head(logits: tf.Tensor2D): tf.Tensor1D;
  /** Says which texts the rows of the next logits belong to. */
  prepare(rows: readonly (Row & { text: readonly number[] })[]): void;
  dispose(): void;
}

/** @param L the longest text, prompt included. */
function tokenChooser({ sampling, seed }: GenerateOptions, L: number): TokenChooser {
  let keys: tf.Variable | undefined; // [B, 5]: seed low, seed high, update, prompt, position
  let previous: tf.Variable | undefined; // [B, L]; -1 is nothing
  const place = (before: tf.Variable | undefined, values: Int32Array, shape: [number, number]): tf.Variable => {
    if (before?.shape[0] !== shape[0]) {
      before?.dispose();
      before = inputVariable(shape);
    }
    overwrite(before, values);
    return before;
  };
  return {
    head: (logits) =>
      sampleTokens(logits, keys as tf.Tensor as tf.Tensor2D, { ...sampling, previous: previous as tf.Tensor as tf.Tensor2D }).ids,
    prepare(rows) {
      const B = rows.length;
      const words = rows.flatMap(({ number, text }) => [seed | 0, Math.floor(seed / 2 ** 32) | 0, 0, number, text.length]);
      keys = place(keys, Int32Array.from(words), [B, 5]);
      if ((sampling.repetitionPenalty ?? 1) === 1) return;
      const ids = new Int32Array(B * L).fill(-1);
      rows.forEach(({ prompt, text }, row) => {
        ids.set(prompt, row * L);
        ids.set(text, row * L + prompt.length);
      });
      previous = place(previous, ids, [B, L]);
    },
    dispose() {
      keys?.dispose();
      previous?.dispose();
    },
  };
}
