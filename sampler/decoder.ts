// Legend: B rows, T tokens of one pass, C hidden size, V vocabulary.
import * as tf from '@tensorflow/tfjs';
import { inputVariable, overwrite, type Recorded, recorded } from '../backends/recording.js';
import type { ModelConfig } from '../model/config.js';
import { logits } from '../model/heads.js';
import { createKvCache, disposeKvCache, dropNewest, dropOldest, reorderRows, takeTokens } from '../model/kv-cache.js';
import { disposePacked, packParameters } from '../model/packed.js';
import type { Parameters } from '../model/parameters.js';
import { type Batch, forward } from '../model/transformer.js';
import { share } from '../ops/fused.js';

/** What a decoder needs of a model. */
export interface DecodingModel {
  config: ModelConfig;
  parameters: Parameters;
}

/**
 * Several texts that grow side by side, each with its keys and values in a cache. What a row gives depends on its own tokens alone.
 *
 * A row that would pass the context length (`max_position_embeddings`) starts again from the last half of its tokens, at position 0: a window that
 * slides by half a context, so that keys never have to be turned to other positions.
 */
export interface Decoder<Output extends tf.Tensor = tf.Tensor2D> {
  readonly rows: number;
  /** The tokens that each row's cache holds: all that it took in, or what was left when it last started again, and what came since. */
  readonly held: readonly (readonly number[])[];
  /** Takes in tokens[row] for each row, without looking at what follows. Rows without tokens cost nothing; others are read with those of like length. */
  read(tokens: readonly (readonly number[])[]): void;
  /**
   * Row rows[i], whatever it held, begins anew and takes in tokens[i], without looking at what follows. What it, another of these or a row that goes
   * on has read of the same beginning is taken over and not read again.
   */
  restart(rows: readonly number[], tokens: readonly (readonly number[])[]): void;
  /**
   * Takes in tokens[row] for each row and gives the head's output, for plain decoders logits [B, V], on each row's last new token.
   * A row without new tokens stays as it is, and its output means nothing. Values are good until the next call; the caller disposes of the tensor.
   */
  feed(tokens: readonly (readonly number[])[]): Output;
  /**
   * Row i goes on from its first lengths[i] held tokens, to the bit as if it had never taken in the others.
   * @throws RangeError where a row holds fewer.
   */
  cut(lengths: readonly number[]): void;
  /** Row i goes on from what row rows[i] was. There may be more or fewer rows than before. */
  reorder(rows: readonly number[]): void;
  dispose(): void;
}

/** Room for `rows` texts of at most `capacity` tokens, prompt included; more than a context is never taken. */
export function decoder(model: DecodingModel, rows: number, capacity: number): Decoder;
/** @param head what is made of the logits [B, V], on the device and in the same native call; its own inputs are to be overwritten in place. */
export function decoder<Output extends tf.Tensor>(
  model: DecodingModel,
  rows: number,
  capacity: number,
  head: (logits: tf.Tensor2D) => Output,
): Decoder<Output>;
export function decoder(
  model: DecodingModel,
  rows: number,
  capacity: number,
  head = (logits: tf.Tensor2D): tf.Tensor => logits,
): Decoder<tf.Tensor> {
  const { config, parameters } = model;
  const context = config.max_position_embeddings;
  const cache = createKvCache(config, rows, Math.min(capacity, context));
  const packed = packParameters(parameters, config);
  /** The tokens in each row of the cache. */
  let held: number[][] = Array.from({ length: rows }, () => []);
  let step: Step | undefined;

  const lastHalf = (tokens: readonly number[]): readonly number[] => tokens.slice(-Math.max(1, Math.floor(context / 2)));

  /** The tokens that each row really takes in: those given, or the last half of all where they do not fit; such rows are emptied. */
  const admit = (tokens: readonly (readonly number[])[]): (readonly number[])[] => {
    const slides = tokens.map((fresh, row) => held[row].length + fresh.length > context);
    const admitted = tokens.map((fresh, row) => (slides[row] ? lastHalf([...held[row], ...fresh]) : fresh));
    if (slides.some(Boolean)) {
      const drop = tf.tensor1d(
        held.map(({ length }, row) => (slides[row] ? length : 0)),
        'int32',
      );
      dropOldest(cache, drop);
      drop.dispose();
      held = held.map((before, row) => (slides[row] ? [] : before));
    }
    return admitted;
  };

  /** The pass over new tokens: hidden states [B, T, C]. */
  const pass = (batch: Batch, newTokens: tf.Tensor1D): tf.Tensor3D => {
    cache.newTokens = newTokens;
    return forward(parameters, config, batch, { cache, packed });
  };

  /** Logits [B, V] of hidden states [B, 1, C]. */
  const nextLogits = (hidden: tf.Tensor3D): tf.Tensor2D =>
    logits(parameters, config, tf.reshape(hidden, [hidden.shape[0], hidden.shape[2]]), packed) as tf.Tensor2D;

  const stepOf = (): Step => {
    step ??= decodingStep(held.length, ({ batch, newTokens }) => head(nextLogits(pass(batch, newTokens))));
    return step;
  };

  /** One pass over new tokens of different numbers. */
  const feedAll = (admitted: (readonly number[])[]): tf.Tensor =>
    tf.tidy(() => {
      const { batch, newTokens, T } = padded(admitted, held);
      return head(nextLogits(lastOf(pass(batch, newTokens), admitted, T)));
    });

  const hold = (admitted: readonly (readonly number[])[]) => {
    admitted.forEach((fresh, row) => {
      held[row].push(...fresh);
    });
  };

  const read: Decoder['read'] = (tokens) => {
    const admitted = admit(tokens);
    for (const rows of passes(admitted)) {
      tf.tidy(() => {
        const { batch, newTokens } = padded(
          rows.map((row) => admitted[row]),
          rows.map((row) => held[row]),
        );
        cache.slots = tf.tensor1d(rows, 'int32');
        pass(batch, newTokens);
      });
    }
    hold(admitted);
  };

  /** Row b becomes the first counts[b] tokens of row from[b]. */
  const takeOver = (from: readonly number[], counts: readonly number[]) => {
    takeTokens(cache, from, counts);
    held = from.map((row, i) => held[row].slice(0, counts[i]));
  };

  return {
    get rows() {
      return held.length;
    },
    read,
    feed(tokens) {
      const admitted = admit(tokens);
      const output = admitted.every(({ length }) => length <= 1) ? stepOf().run(admitted, held) : feedAll(admitted);
      hold(admitted);
      return output;
    },
    restart(rows, tokens) {
      const texts = new Map(rows.map((row, i) => [row, tokens[i].length > context ? lastHalf(tokens[i]) : tokens[i]]));
      const all = [...held.keys()];
      /** Of the rows with equal texts the one that reads it. */
      const reader = new Map(rows.map((row) => [row, rows.find((other) => isSame(texts.get(other)!, texts.get(row)!))!]));

      // 1. What is there already of each text.
      const others = all.filter((row) => !texts.has(row));
      const source = all.map((row) => {
        if (reader.get(row) !== row) return row;
        const shared = (other: number) => sharedLength(texts.get(row)!, held[other]);
        return others.reduce((best, other) => (shared(other) > shared(best) ? other : best), row);
      });
      const keeps = all.map((row) => (texts.has(row) ? sharedLength(texts.get(row)!, held[source[row]]) : held[row].length));
      takeOver(source, keeps);

      // 2. The rest of it, then the copies.
      read(all.map((row) => (reader.get(row) === row ? texts.get(row)!.slice(held[row].length) : [])));
      const copied = all.map((row) => reader.get(row) ?? row);
      if (copied.some((from, row) => from !== row)) {
        takeOver(
          copied,
          copied.map((row) => held[row].length),
        );
      }
    },
    get held() {
      return held;
    },
    cut(lengths) {
      const counts = held.map((row, i) => row.length - lengths[i]);
      if (!counts.every((count) => count >= 0))
        throw new RangeError(
          `decoder: a row is cut to at most the ${held.map(({ length }) => length)} tokens it holds; received ${lengths}`,
        );
      if (counts.every((count) => count === 0)) return;
      const drop = tf.tensor1d(counts, 'int32');
      dropNewest(cache, drop);
      drop.dispose();
      held = held.map((row, i) => row.slice(0, lengths[i]));
    },
    reorder(order) {
      if (order.length === held.length && order.every((row, i) => row === i)) return;
      step?.dispose();
      step = undefined;
      const rows = tf.tensor1d([...order], 'int32');
      reorderRows(cache, rows);
      rows.dispose();
      held = order.map((row) => [...held[row]]);
    },
    dispose() {
      step?.dispose();
      disposeKvCache(cache);
      disposePacked(packed);
    },
  };
}

/** More tokens than so are read in several passes, so that the memory they take does not grow with them. */
const PASS_TOKENS = 4096;

/** Rows with new tokens, in groups of like length: little of a pass is padding. */
function passes(tokens: readonly (readonly number[])[]): number[][] {
  const length = (row: number) => tokens[row].length;
  const rows = [...tokens.keys()].filter((row) => length(row) > 0).sort((a, b) => length(b) - length(a));
  const groups: number[][] = [];
  let longest = 0;
  for (const row of rows) {
    const group = groups.at(-1);
    if (group && longest - length(row) <= Math.max(16, longest / 4) && (group.length + 1) * longest <= PASS_TOKENS) {
      group.push(row);
    } else {
      groups.push([row]);
      longest = length(row);
    }
  }
  return groups;
}

/** How many tokens two texts begin with alike. */
function sharedLength(a: readonly number[], b: readonly number[]): number {
  const differs = a.findIndex((token, i) => token !== b[i]);
  return differs < 0 ? a.length : differs;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && sharedLength(a, b) === a.length;
}

/** One new token, or none, for each row. From the second time on the pass is one that a device records: beams seldom stay where they are. */
interface Step {
  /** The caller disposes of the result. */
  run(tokens: readonly (readonly number[])[], held: readonly (readonly number[])[]): tf.Tensor;
  dispose(): void;
}

interface Place {
  batch: Batch;
  newTokens: tf.Tensor1D;
}

function decodingStep(rows: number, work: (place: Place) => tf.Tensor): Step {
  const [ids, positions, segments] = [inputVariable([rows, 1]), inputVariable([rows, 1]), inputVariable([rows, 1])];
  const newTokens = inputVariable([rows]);
  const column = (tensor: tf.Tensor) => tensor as tf.Tensor2D;
  const inputs: Place = {
    batch: { ids: column(ids), positions: column(positions), segments: column(segments) },
    newTokens: newTokens as tf.Tensor as tf.Tensor1D,
  };
  const pass: Recorded = recorded(() => tf.tidy(() => [work(inputs)]));
  let first = true;
  return {
    run(tokens, held) {
      overwrite(
        ids,
        Int32Array.from(tokens, ([token]) => token ?? 0),
      );
      overwrite(
        positions,
        Int32Array.from(held, ({ length }) => length),
      );
      overwrite(
        segments,
        Int32Array.from(tokens, ({ length }) => length - 1),
      );
      overwrite(
        newTokens,
        Int32Array.from(tokens, ({ length }) => length),
      );
      if (!first) return share(pass.run()[0]);
      first = false;
      return tf.tidy(() => work(inputs));
    },
    dispose() {
      pass.dispose();
      tf.dispose([ids, positions, segments, newTokens]);
    },
  };
}

/** Tokens of each row side by side, filled up to the longest, after those that the rows hold. */
function padded(tokens: readonly (readonly number[])[], held: readonly (readonly number[])[]): Place & { T: number } {
  const B = tokens.length;
  const T = Math.max(...tokens.map(({ length }) => length));
  const [ids, positions, segments] = [new Int32Array(B * T), new Int32Array(B * T), new Int32Array(B * T).fill(-1)];
  tokens.forEach((row, b) => {
    ids.set(row, b * T);
    positions.set(
      row.map((_, t) => held[b].length + t),
      b * T,
    );
    segments.fill(0, b * T, b * T + row.length);
  });
  const tensor = (values: Int32Array) => tf.tensor2d(values, [B, T], 'int32');
  const batch = { ids: tensor(ids), positions: tensor(positions), segments: tensor(segments) };
  return {
    batch,
    newTokens: tf.tensor1d(
      Int32Array.from(tokens, ({ length }) => length),
      'int32',
    ),
    T,
  };
}

/** The hidden state of each row's last new token: [B, 1, C] of [B, T, C]. */
function lastOf(hidden: tf.Tensor3D, tokens: readonly (readonly number[])[], T: number): tf.Tensor3D {
  const [B, , C] = hidden.shape;
  const last = tokens.map(({ length }, b) => b * T + Math.max(0, length - 1));
  return tf.reshape(tf.gather(tf.reshape(hidden, [B * T, C]), tf.tensor1d(last, 'int32')), [B, 1, C]);
}
