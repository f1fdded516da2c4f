import path from 'node:path';
import { resolveCheckpoint } from '../../checkpoints/load.js';
import type { VerdictConfig, VerdictEntry } from '../../configs/verdict-schema.js';
import type { Prompt } from '../../datasets/conversations.js';
import type { World } from '../../datasets/world/world.js';
import { type LoadedModel, loadModel } from '../../sampler/model.js';
import { type ChatTemplate, readChatTemplate } from '../../tokenizer/index.js';
import { type Asking, chatAsking, fewShotAsking } from './answers.js';

/** A model and how it is asked. */
export interface AskedModel {
  model: LoadedModel;
  template: ChatTemplate;
  entry: VerdictEntry;
  asking: Asking;
}

/** The models of a verdict. Two are in memory at most: the reference, and the one that was taken last. */
export interface Models {
  /** Models of the same checkpoint are the same. @throws UserError for one that cannot be loaded. */
  take(name: string): Promise<AskedModel>;
  dispose(): void;
}

export function openModels({ models, reference, seed }: VerdictConfig, prompts: readonly Prompt[], world: World): Models {
  const held = new Map<string, LoadedModel>();
  const directoryOf = async (name: string) => path.resolve(await resolveCheckpoint(models[name].checkpoint));
  const load = async (name: string): Promise<LoadedModel> => {
    const directory = await directoryOf(name);
    const known = held.get(directory);
    if (known) return known;
    const kept = await directoryOf(reference);
    for (const [other, model] of held) {
      if (other === kept) continue;
      model.dispose();
      held.delete(other);
    }
    const model = await loadModel(directory);
    held.set(directory, model);
    return model;
  };
  return {
    async take(name) {
      const entry = models[name];
      const model = await load(name);
      const template = await readChatTemplate(model.directory, model.tokenizer);
      const { few_shot: examples } = entry;
      const asking =
        examples === undefined ? chatAsking(prompts, template) : fewShotAsking(prompts, model.tokenizer, world, { examples, seed });
      return { model, template, entry, asking };
    },
    dispose() {
      for (const model of held.values()) model.dispose();
    },
  };
}
