import { generationConfig, modelCard } from '../checkpoints/hugging-face.js';
import type { NamedArray } from '../checkpoints/safetensors.js';
import { saveCheckpoint } from '../checkpoints/save.js';
import type { LoaderState } from '../datasets/loader.js';
import { parameterCount } from '../model/config.js';
import { type Tokenizer, tokenizerConfig } from '../tokenizer/index.js';
import type { TrainerState } from './start.js';
import { storedMoments, storedWeights, type TrainState } from './state.js';

export interface SavedModel {
  state: TrainState;
  trainer: TrainerState;
  tokenizer: Tokenizer;
  /** Chat template to write down; otherwise the tokenizer's own. */
  template?: string;
  /** For the model card: name of the run and of its data, without paths. */
  name: string;
  data: string;
  /** Place in the data: with it, the checkpoint can be resumed from. */
  loader?: LoaderState;
  /** The same where the step tells the place. */
  resumable?: true;
  /** More tensors that resuming needs. */
  more?: NamedArray[];
  /** See `CheckpointContents`. */
  boundary?: NamedArray[];
}

/** Saves the model as it is, in the Hugging Face layout. */
export async function saveModel(target: string, saved: SavedModel): Promise<void> {
  const { state, trainer, tokenizer, template, name, data, loader, resumable, more = [], boundary } = saved;
  const { config } = state;
  const { stage, metrics, tokens } = trainer;
  await saveCheckpoint(target, {
    config,
    tokenizer: tokenizer.toJSON(),
    tokenizerConfig: { ...tokenizerConfig(tokenizer, config.max_position_embeddings), ...(template && { chat_template: template }) },
    generationConfig: generationConfig(tokenizer.special),
    modelCard: modelCard({ name, stage, config, parameters: parameterCount(config), data, steps: state.step, tokens, metrics }),
    weights: await storedWeights(config, state.parameters),
    boundary,
    ...((loader || resumable) && {
      optimizer: [...(await storedMoments(state)), ...more],
      trainerState: { ...trainer, ...(loader && { loader }) },
    }),
  });
}
