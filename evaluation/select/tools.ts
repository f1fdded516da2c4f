import path from 'node:path';
import { readCheckpointFiles, resolveCheckpoint } from '../../checkpoints/load.js';
import type { SelectConfig } from '../../configs/select-schema.js';
import { type ModelOptions, openModel } from '../../sampler/model.js';
import { readChatTemplate, readTokenizer } from '../../tokenizer/index.js';
import { UserError } from '../../util/errors.js';
import { sha256File } from '../../util/files.js';
import { openRewardModel } from '../reward-model.js';
import type { Encoder, Judge, Measurer } from './encoded.js';
import { needsModel } from './strategies.js';

/** What the strategies of a configuration need beside the conversations. */
export interface Tools {
  /** Where something names a tokenizer. */
  encoder?: Encoder;
  /** Where a strategy runs a model. */
  measurer?: Measurer;
  /** Where answers are judged by a reward model. */
  judge?: Judge;
  /** What the figures depend on beside the configuration, for the metadata. */
  facts: Record<string, string>;
  dispose(): void;
}

/**
 * Opens the model, or only its tokenizer, where a strategy needs it.
 * @throws UserError when they are not there, or do not go with the configuration.
 */
export async function openTools(
  table: string,
  config: SelectConfig,
  options: ModelOptions,
  onProgress: Measurer['onProgress'],
): Promise<Tools> {
  const tools = await openMeasuring(table, config, options, onProgress);
  if (!config.strategies.includes('reward')) return tools;
  try {
    const rewardModel = await openRewardModel(config.reward.model!, options);
    const { tokenizer, template, contextLength, members, head, dispose } = rewardModel;
    if (head === 'pair') {
      dispose();
      throw new UserError(
        `select: reward.model must have a scalar head; ${config.reward.model} reads pairs of answers. Train one with head: scalar`,
      );
    }
    const hashes = await Promise.all(members.map(({ directory }) => sha256File(path.join(directory, 'model.safetensors'))));
    return {
      ...tools,
      judge: { table, tokenizer, template, rewardModel, contextLength, onProgress },
      facts: { ...tools.facts, reward_model_sha256: hashes.join(',') },
      dispose() {
        dispose();
        tools.dispose();
      },
    };
  } catch (error) {
    tools.dispose();
    throw error;
  }
}

async function openMeasuring(
  table: string,
  config: SelectConfig,
  options: ModelOptions,
  onProgress: Measurer['onProgress'],
): Promise<Tools> {
  const measures = config.strategies.some(needsModel);
  if (!measures && !config.strategies.includes('length')) return { facts: {}, dispose() {} };
  if (!measures) {
    const place = config.tokenizer ?? (await resolveCheckpoint(config.checkpoint!));
    const tokenizer = await readTokenizer(place);
    const template = await readChatTemplate(place, tokenizer, config.template);
    const longest = config.checkpoint === undefined ? undefined : (await readCheckpointFiles(place)).config.max_position_embeddings;
    return {
      encoder: { table, tokenizer, template, contextLength: contextOf(config, longest) },
      facts: { tokenizer_sha256: tokenizer.hash(), chat_template: template.source },
      dispose() {},
    };
  }
  const model = await openModel(config.checkpoint!, options);
  try {
    const { tokenizer, directory, on } = model;
    const template = await readChatTemplate(directory, tokenizer, config.template);
    const contextLength = contextOf(config, model.config.max_position_embeddings)!;
    const measurer = { table, tokenizer, template, model, contextLength, onProgress };
    const facts = {
      model_sha256: await sha256File(path.join(directory, 'model.safetensors')),
      tokenizer_sha256: tokenizer.hash(),
      chat_template: template.source,
      device: [on.device, on.isa, options.precision ?? 'fp32'].filter(Boolean).join(' '),
    };
    return { encoder: measurer, measurer, facts, dispose: model.dispose };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** @throws UserError when the model cannot read so much. */
function contextOf({ context_length: asked, checkpoint }: SelectConfig, longest: number | undefined): number | undefined {
  if (asked === undefined || longest === undefined || asked <= longest) return asked ?? longest;
  throw new UserError(
    `select: context_length must be no more than what the model of ${checkpoint} reads, ${longest}; received ${asked}. Lower it, or leave it out`,
  );
}
