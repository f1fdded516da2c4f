// Legend: B rows, V vocabulary, L longest text in tokens.
import * as tf from '@tensorflow/tfjs';
import { inputVariable, overwrite } from '../backends/recording.js';
import { type SamplingOptions, sampleTokens } from '../ops/sample.js';
import { type DecodingModel, decoder } from './decoder.js';

/** How a token is chosen; see ops/sample.ts. */
export type Sampling = Omit<SamplingOptions, 'previous'>;

export interface GenerateOptions {
  sampling: Sampling;
  /** Of each text. */
  maxTokens: number;
  /** Ids that end a text. */
  eos: ReadonlySet<number>;
  /**
   * The draw for a token is a function of (seed, number of its prompt, number of the token), whatever else is in the batch. Where each prompt has a
   * seed of its own, its number is 0, so that its text is made again alone from its seed.
   */
  seed: number | readonly number[];
  /** The prompts' numbers where they have one seed; their places in the list where not given. */
  numbers?: readonly number[];
  /** Texts that are made at the same time, at most. */
  batchSize?: number;
  /**
   * Where the context is full: go on from its last half, the default, or end. To end, prompts must be shorter than the context;
   * prompt and text are together no longer than it.
   */
  pastContext?: 'slide' | 'stop';
  /** @throws AbortError when it is aborted; texts that are finished have been given to `onFinished`. */
  signal?: AbortSignal;
  /** Called with each text when it is finished. */
  onFinished?: (prompt: number, text: GeneratedText) => void;
}

/** Called with each new token; `true` ends this prompt's text. */
export type OnToken = (prompt: number, token: number) => boolean | undefined;

export interface GeneratedText {
  /** The new tokens, the end of text included. */
  tokens: number[];
  /** Of each token: log softmax(logits / temperature), before penalty and filters; at temperature 0 that of the plain logits. */
  logProbs: number[];
  /** `stop`: with an end of text, or where `onToken` said so; `length`: at the longest, or at the end of the context. */
  finishReason: 'stop' | 'length';
}

/** Of each prompt, in their order. */
export interface Generated {
  /** See GeneratedText. */
  tokens: number[][];
  logProbs: number[][];
  finishReasons: GeneratedText['finishReason'][];
  /** What they took, without the reading of the prompts. */
  seconds: number;
}

/** A text that is being made. */
interface Running extends GeneratedText {
  /** Of its prompt. */
  index: number;
  prompt: readonly number[];
  /** Longest text. */
  maxTokens: number;
  seed: number;
  number: number;
  finished: boolean;
}

/**
 * Continues each prompt; none may be empty. The batch is kept full: where a text has ended another begins, the longest prompts first, so that
 * those that are read together are of like length. What a prompt gives does not depend on that.
 */
export async function generate(
  model: DecodingModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
  onToken?: OnToken,
): Promise<Generated> {
  const { eos, signal, batchSize = 32, onFinished } = options;
  const all = prompts.map((_, index) => newText(prompts, index, model.config.max_position_embeddings, options));
  if (all.length === 0) return generated(all, 0);
  const waiting = [...all].sort((a, b) => a.prompt.length - b.prompt.length || b.index - a.index); // the last is the next
  const longest = Math.max(...all.map(({ prompt, maxTokens }) => prompt.length + maxTokens));
  /** Row of the decoder → its text; undefined before the first. */
  let places: (Running | undefined)[] = new Array(Math.min(batchSize, all.length)).fill(undefined);
  const chooser = tokenChooser(options, longest);
  const body = decoder(model, places.length, longest, chooser.head);
  let milliseconds = 0;
  try {
    for (;;) {
      signal?.throwIfAborted();
      // 1. Texts that wait take free places, some at once: to read one prompt takes almost as long as to read several. The last token of each is
      //    left to the first step.
      const free = [...places.keys()].filter((place) => places[place]?.finished !== false);
      if (waiting.length > 0 && free.length >= Math.min(waiting.length, Math.ceil(places.length / REFILLS))) {
        const filled = free.slice(0, waiting.length);
        for (const place of filled) places[place] = waiting.pop();
        body.restart(
          filled,
          filled.map((place) => places[place]!.prompt.slice(0, -1)),
        );
      }

      // 2. When nothing waits, finished texts leave when they are half of the batch: moving the cache costs as much as some steps.
      const open = [...places.keys()].filter((place) => places[place]?.finished === false);
      if (open.length === 0) return generated(all, milliseconds / 1000);
      if (waiting.length === 0 && open.length * 2 <= places.length) {
        body.reorder(open);
        places = open.map((place) => places[place]);
      }

      // 3. One token for each running text.
      const began = performance.now();
      const running = places.map((text) => (text?.finished === false ? text : undefined));
      chooser.prepare(running);
      const chosen = body.feed(running.map((text) => (text ? [text.tokens.at(-1) ?? text.prompt.at(-1)!] : [])));
      const values = await chosen.data(); // [2, B]
      chosen.dispose();
      milliseconds += performance.now() - began;
      running.forEach((text, place) => {
        if (!text) return;
        const id = values[place];
        text.tokens.push(id);
        text.logProbs.push(values[running.length + place]);
        const stopped = onToken?.(text.index, id) === true || eos.has(id);
        text.finished = stopped || text.tokens.length >= text.maxTokens;
        if (stopped) text.finishReason = 'stop';
        if (text.finished) onFinished?.(text.index, text);
      });
      await new Promise((resolve) => setImmediate(resolve)); // signals and output are handled between macrotasks
    }
  } finally {
    body.dispose();
    chooser.dispose();
  }
}

function generated(texts: readonly GeneratedText[], seconds: number): Generated {
  return {
    tokens: texts.map(({ tokens }) => tokens),
    logProbs: texts.map(({ logProbs }) => logProbs),
    finishReasons: texts.map(({ finishReason }) => finishReason),
    seconds,
  };
}

/** Free places are filled when they are this part of the batch. */
const REFILLS = 8;

function newText(
  prompts: readonly (readonly number[])[],
  index: number,
  context: number,
  { maxTokens, seed, numbers, pastContext = 'slide' }: GenerateOptions,
): Running {
  const prompt = prompts[index];
  return {
    index,
    prompt,
    maxTokens: pastContext === 'stop' ? Math.min(maxTokens, context - prompt.length) : maxTokens,
    seed: typeof seed === 'number' ? seed : seed[index],
    number: typeof seed === 'number' ? (numbers?.[index] ?? index) : 0,
    tokens: [],
    logProbs: [],
    finishReason: 'length',
    finished: false,
  };
}

/** Chooses the next token of each row beside the logits. */
interface TokenChooser {
  /** Logits [B, V] to ids and their log-probabilities, [2, B] float32, which holds any id below 2^24. */
  head(logits: tf.Tensor2D): tf.Tensor2D;
  /** Says which texts the rows of the next logits belong to; undefined: what the row gives is not looked at. */
  prepare(texts: readonly (Running | undefined)[]): void;
  dispose(): void;
}

/** @param L the longest text, prompt included. */
function tokenChooser({ sampling }: GenerateOptions, L: number): TokenChooser {
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
    head(logits) {
      const given = { ...sampling, previous: previous as tf.Tensor as tf.Tensor2D };
      const { ids, logProbs } = sampleTokens(logits, keys as tf.Tensor as tf.Tensor2D, given);
      return tf.stack([tf.cast(ids, 'float32'), logProbs]) as tf.Tensor2D;
    },
    prepare(texts) {
      const B = texts.length;
      const words = texts.flatMap((text) =>
        text ? [text.seed | 0, Math.floor(text.seed / 2 ** 32) | 0, 0, text.number, text.tokens.length] : [0, 0, 0, 0, 0],
      );
      keys = place(keys, Int32Array.from(words), [B, 5]);
      if ((sampling.repetitionPenalty ?? 1) === 1) return;
      const ids = new Int32Array(B * L).fill(-1);
      texts.forEach((text, row) => {
        if (!text) return;
        ids.set(text.prompt, row * L);
        ids.set(text.tokens, row * L + text.prompt.length);
      });
      previous = place(previous, ids, [B, L]);
    },
    dispose() {
      keys?.dispose();
      previous?.dispose();
    },
  };
}
