/**
 * One PPO benchmark of fourfold: the stage itself on the models and prompts of a folder that ppo-data.ts wrote, with UPDATES updates behind a first
 * one; prints one line of JSON as peers/ppo.py does.
 *
 *     node --import tsx bench/ours-ppo.ts FOLDER THREADS UPDATES
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { useDevice } from '../backends/device.js';
import { loadCheckpoint } from '../checkpoints/load.js';
import { resolvePpoConfig } from '../configs/load.js';
import { judges } from '../evaluation/rollout.js';
import { scorer } from '../evaluation/scorer.js';
import { parametersFrom } from '../model/parameters.js';
import { ppo } from '../stages/ppo.js';
import { OtherLoad } from './load.js';
import { type PpoData, readPpoData } from './ppo-data.js';
import { PPO_SHAPE } from './shapes.js';

const [folder, threads, updates] = process.argv.slice(2);
const { batch, prompt, response, epochs } = PPO_SHAPE;

const device = await useDevice('native', { threads: Number(threads) });
const said = await whatModelsSay(readPpoData(folder));

const directory = join(folder, 'run');
rmSync(directory, { recursive: true, force: true });
const config = resolvePpoConfig({
  ...{ init_from: join(folder, 'policy'), reward: { model: join(folder, 'reward') }, output_dir: directory, threads: Number(threads) },
  data: { path: join(folder, 'prompts.arrow'), eval_fraction: 0, eval_prompts: 0 },
  ...{ batch_size: batch, max_new_tokens: response, max_steps: Number(updates) + 1, num_ppo_epochs: epochs, num_mini_batches: 1 },
  // As the peer's.
  ...{ learning_rate: 3e-6, critic_learning_rate: 3e-6, lr_scheduler_type: 'constant', critic_warmup_steps: 0, missing_eos_penalty: 0 },
});
const other = new OtherLoad();
await ppo(config, { directory }, new AbortController().signal);
const otherLoad = other.cores();

const lines = readFileSync(join(directory, 'metrics.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Record<string, number>);
const [first, last] = [lines[0], lines.at(-1)!];
const shortest = Math.min(...lines.map((line) => line['response_length']));
if (shortest < response) throw new Error(`every answer must have ${response} tokens; in an update the mean was ${shortest}`);
const parts = (['rollout', 'scoring', 'optimisation'] as const).map((part): [string, number] => [
  part,
  lines.slice(1).reduce((sum, line) => sum + line[`time/${part}`], 0) / Number(updates),
]);
console.log(
  JSON.stringify({
    engine: `fourfold ${device.isa}`,
    threads: device.threads,
    updates: Number(updates),
    episodesPerSecond: (batch * Number(updates)) / (last['seconds'] - first['seconds']),
    seconds: Object.fromEntries(parts),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    otherLoad,
    first: {
      kl: first['objective/kl'],
      ratio: first['val/ratio'],
      policyLoss: first['loss/policy_avg'],
      entropy: first['objective/entropy'],
    },
    said,
  }),
);

/** Log-probabilities of the texts' answers, one token after the other, and the scores of the texts. */
async function whatModelsSay({ texts }: PpoData): Promise<{ logProbs: number[]; scores: number[] }> {
  const load = async (name: string) => {
    const { config, weights } = await loadCheckpoint(join(folder, name));
    return { config, parameters: parametersFrom(config, weights) };
  };
  const [policy, reward] = [await load('policy'), await load('reward')];
  const T = prompt + response;
  const panel = judges(policy, policy, reward, { B: batch, T }, 1);
  const episodes = texts.map((ids) => ({
    of: { prompt: [], source: 'bench', ids: ids.slice(0, prompt) },
    ...{ response: ids.slice(prompt), text: '', ended: false, sampled: [] },
  }));
  const judged = await panel.judge(episodes);
  const scoring = scorer(reward.config, reward.parameters, T, texts.length);
  const scores = await scoring.score(texts.map((ids) => Int32Array.from(ids)));
  for (const one of [panel, scoring, ...policy.parameters.values(), ...reward.parameters.values()]) one.dispose();
  return { logProbs: judged.flatMap(({ logProbs }) => [...logProbs]), scores: [...scores] };
}
