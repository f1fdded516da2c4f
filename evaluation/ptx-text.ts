import path from 'node:path';
import type { PpoConfig } from '../configs/ppo-schema.js';
import { readDataset } from '../datasets/dataset.js';
import { type Loader, openLoader } from '../datasets/loader.js';
import { openPass } from '../datasets/pass.js';
import { preparedText } from '../datasets/training-conversations.js';
import type { RunDirectory } from '../training/run-directory.js';
import type { TrainState } from '../training/state.js';
import { UserError } from '../util/errors.js';
import { bitsPerByte, evaluator, totalOf } from './language-model.js';
import { packedRows } from './packed-sequences.js';

/** Pretraining text beside the rewards of PPO, in rows as long as the context. */
export interface PtxText {
  /** To learn from; undefined where the text is only measured. */
  loader?: Loader;
  /** Measures a model, as it is at the time, on what is held out; undefined where nothing is. */
  measure(model: TrainState): TextMeasure | undefined;
  close(): Promise<void>;
}

export interface TextMeasure {
  /** Under names of their own: the other evaluations are those of answers. */
  metrics(): Promise<Record<'eval/text_loss' | 'eval/text_bits_per_byte', number>>;
  dispose(): void;
}

export interface PtxTextOptions {
  /** Of the tokenizer. */
  checkpoint: string;
  contextLength: number;
  seed: number;
  directory: RunDirectory;
  say: (text: string) => void;
  signal: AbortSignal;
}

/** Tokens of held-out text that an evaluation reads; of several sources alike, and one batch of each at least. */
const MEASURED_TOKENS = 32_768;

/** @throws UserError for text that cannot be used, and for text that is only to be measured with nothing held out. */
export async function openText(ptx: NonNullable<PpoConfig['ptx']>, options: PtxTextOptions): Promise<PtxText> {
  const { checkpoint, contextLength, seed, directory, say, signal } = options;
  const given = { path: ptx.path, evalFraction: ptx.eval_fraction ?? 0.02, seed };
  const reuse = directory.resumeFrom !== undefined;
  const tokens = await preparedText(given, path.join(directory.path, 'tokens'), { checkpoint, reuse, say, signal });
  if (tokens === ptx.path && ptx.eval_fraction !== undefined) {
    throw new UserError(
      `ptx.eval_fraction: is for text; ${ptx.path} holds prepared tokens, which have an eval part of their own. Remove it`,
    );
  }
  const dataset = await readDataset(tokens);
  const B = packedRows(contextLength);
  const rows = { directory: tokens, contextLength, packing: 'segments' } as const;
  const batchesPerSource = Math.ceil(MEASURED_TOKENS / (B * contextLength * dataset.sources.length));
  const first = { batchesPerSource, windowTokens: batchesPerSource * B * contextLength };
  const { batch_size: batchSize } = ptx;
  const measured = batchSize === undefined || dataset.eval.sources.some(({ tokens }) => tokens > 1);
  if (!measured) say(`no text is held out of ${ptx.path}: the loss on it is not measured`);
  const heldOut = measured ? await openPass({ ...rows, ...first, split: 'eval', batchSize: B }) : undefined;
  const loader = batchSize === undefined ? undefined : await openLoader({ ...rows, batchSize, sampling: 'epoch', seed });
  return {
    loader,
    measure({ config, parameters }) {
      if (!heldOut) return undefined;
      const evaluation = evaluator(config, parameters, B, contextLength);
      return {
        async metrics() {
          const all = totalOf((await evaluation.measure(heldOut)).values());
          return { 'eval/text_loss': all.loss / all.tokens, 'eval/text_bits_per_byte': bitsPerByte(all) };
        },
        dispose: () => evaluation.dispose(),
      };
    },
    async close() {
      await loader?.close();
      await heldOut?.close();
    },
  };
}
