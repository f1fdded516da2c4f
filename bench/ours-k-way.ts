/**
 * Rankings of four answers learnt whole, against their six pairs each: one update's loss, gradients and time both ways, the pairs packed into batches
 * as the rankings are. Runs alternate, medians; prints one line of JSON.
 *
 *     node --import tsx bench/ours-k-way.ts FOLDER 2 5
 */
import { join } from 'node:path';
import { useDevice } from '../backends/device.js';
import { loadCheckpoint } from '../checkpoints/load.js';
import { parametersFrom } from '../model/parameters.js';
import { batchShape, type RankedGroup, rankedBatches } from '../training/ranked-batches.js';
import { rewardStepper } from '../training/reward-step.js';
import { trainState } from '../training/state.js';
import { median } from './figures.js';
import { OtherLoad } from './load.js';
import { type EncodedRanking, groupsOf, OBJECTIVE, readRewardData } from './reward-data.js';
import { MICRO_BATCH_TOKENS } from './shapes.js';

const [folder, threads, rounds] = process.argv.slice(2);

const device = await useDevice('native', { threads: Number(threads) });
const { config, weights } = await loadCheckpoint(join(folder, 'model'));
const state = trainState(config, parametersFrom(config, weights));
const { rankings } = readRewardData(folder);
const ways = { whole: wayOf(groupsOf(rankings)), pairs: wayOf(groupsOf(rankings.flatMap(pairsOf))) };

const [whole, pairs] = [await ways.whole.learn(), await ways.pairs.learn()];
const times: Record<keyof typeof ways, number[]> = { whole: [], pairs: [] };
const other = new OtherLoad();
for (let round = 0; round < Number(rounds); round++) {
  for (const way of ['whole', 'pairs'] as const) {
    const began = performance.now();
    await ways[way].step();
    times[way].push(performance.now() - began);
  }
}
const differences = [...whole.gradients].map(([name, gradient]) => difference(gradient, pairs.gradients.get(name)!));
const sum = (of: (one: Difference) => number) => differences.reduce((total, one) => total + of(one), 0);
console.log(
  JSON.stringify({
    engine: `fourfold ${device.isa}`,
    rankings: rankings.length,
    answers: rankings[0].ids.length,
    pairs: rankings.flatMap(pairsOf).length,
    msWhole: median(times.whole),
    msPairs: median(times.pairs),
    loss: whole.loss,
    lossDifference: Math.abs(whole.loss - pairs.loss),
    gradientDifference: Math.max(...differences.map(({ largest }) => largest)),
    relativeDifference: Math.sqrt(sum(({ squares }) => squares) / sum(({ norm }) => norm)),
    otherLoad: other.cores(),
  }),
);

/** One update from the groups, which moves nothing. */
function wayOf(groups: readonly RankedGroup[]) {
  const shape = batchShape(groups, MICRO_BATCH_TOKENS);
  // With β₁ 0 the first moment is the gradient.
  const stepper = rewardStepper(state, shape, {
    ...{ beta1: 0, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0, seed: 1337 },
    ...{ objective: OBJECTIVE, centerRewards: 0 },
  });
  const step = () => stepper.step(rankedBatches(groups, shape, 0), 0);
  return {
    step,
    async learn() {
      const { loss } = await step();
      const gradients = new Map<string, Float32Array>();
      for (const [name, moment] of state.moment1) gradients.set(name, ((await moment.data()) as Float32Array).slice());
      return { loss, gradients };
    },
  };
}

/** Each two of a ranking's answers, as a ranking of their own. */
function pairsOf({ ids, ranks }: EncodedRanking): EncodedRanking[] {
  return ids.flatMap((_, i) => ids.slice(i + 1).map((_, j) => i + 1 + j).map((j) => ({ ids: [ids[i], ids[j]], ranks: [ranks[i], ranks[j]] }))); // biome-ignore format: short
}

interface Difference {
  largest: number;
  /** Sums of squares: of the difference, and of `a`. */
  squares: number;
  norm: number;
}

function difference(a: Float32Array, b: Float32Array): Difference {
  const found: Difference = { largest: 0, squares: 0, norm: 0 };
  for (let i = 0; i < a.length; i++) {
    const own = Math.abs(a[i] - b[i]);
    found.largest = Math.max(found.largest, own);
    found.squares += own * own;
    found.norm += a[i] * a[i];
  }
  return found;
}
