import { type Block, type Chart, charts, heading, missing, type Point, type Section, text } from './blocks.js';
import { evaluationsOf } from './evaluations.js';
import { count, decimal, figure } from './numbers.js';
import { sampleBlocks } from './pretraining.js';
import type { Line, Run, RunStep } from './read.js';
import { lineChart, pointsOf } from './series.js';
import { stageBlocks } from './stage.js';

/** What PPO did, update by update, and whether the reward model was deceived. */
export function ppoSection(run: Run): Section {
  const blocks = stageBlocks(run, 'ppo', 'PPO', (step) => stepBlocks(step, run));
  return { id: 'ppo', title: 'PPO', blocks };
}

const CURVES: { title: string; label: string; key: string; held?: string }[] = [
  { title: 'Score', label: 'mean score', key: 'objective/scores', held: 'eval/score' },
  { title: 'KL from the reference', label: 'nats an answer', key: 'objective/kl', held: 'eval/kl' },
  { title: 'β, the price of KL', label: 'β', key: 'kl_coef' },
  { title: 'Entropy', label: 'nats a token', key: 'policy/entropy_avg', held: 'eval/entropy' },
  { title: 'Clip fraction', label: 'share of tokens', key: 'policy/clipfrac_avg' },
  { title: 'Explained variance of the critic', label: '1 is perfect', key: 'val/explained_variance' },
  { title: 'Length of the answers', label: 'tokens', key: 'response_length', held: 'eval/response_length' },
  { title: 'Answers that end', label: 'share', key: 'eos_rate', held: 'eval/eos_rate' },
];

function stepBlocks(step: RunStep, run: Run): Block[] {
  const { name, metrics, samples } = step;
  const found = CURVES.map(({ title, label, key, held: evaluated }) => ({
    title,
    chart: lineChart({
      title,
      x: { label: 'update' },
      y: { label, format: figure },
      series: [
        { name: 'rollout', points: pointsOf(metrics, key), style: 'thin' },
        ...(evaluated ? [{ name: 'evaluation', points: pointsOf(metrics, evaluated), style: 'marks' as const }] : []),
      ],
    }),
  }));
  const absent = found.filter(({ chart }) => chart === undefined).map(({ title }) => title);
  return [
    ...summaryText(step),
    ...charts(
      found.map(({ chart }) => chart),
      'small',
    ),
    ...(absent.length > 0 ? [missing(`${absent.join(', ')} of ${name}`)] : []),
    ...overOptimisation(step, run),
    ...sampleBlocks(samples),
  ];
}

function summaryText({ summary, metrics }: RunStep): Block[] {
  const sentences = [
    { key: 'eval/gold', name: 'gold reward' },
    { key: 'eval/score', name: 'score of the reward model' },
  ].flatMap(({ key, name }) => {
    const points = pointsOf(metrics, key);
    return points.length > 1 ? [`${name} from ${decimal(points[0].y)} to ${decimal(points[points.length - 1].y)}`] : [];
  });
  const best = summary?.metrics['best/step'];
  const kept = best === undefined ? '' : ` The model that was kept is that of update ${count(best)}.`;
  return sentences.length > 0 ? [text(`On its evaluation prompts: ${sentences.join(', ')}.${kept}`)] : [missing('evaluations during PPO')];
}

/** √KL against `y`, from the start on. The exact divergence where it was recorded; an estimate may be below 0. */
function against(metrics: readonly Line[], y: string): Point[] {
  return metrics.flatMap((line) => {
    const [kl, value] = [line['eval/kl_exact'] ?? line['eval/kl'], line[y]];
    return typeof kl === 'number' && typeof value === 'number' ? [{ x: Math.sqrt(Math.max(0, kl)), y: value }] : [];
  });
}

/** Gold reward and score against √KL. Source: Gao et al. 2022. */
function overOptimisation({ name, metrics }: RunStep, run: Run): Block[] {
  const [gold, score] = ['eval/gold', 'eval/score'].map((key) => against(metrics, key));
  const title = heading('Is the reward model being exploited?');
  if (gold.length < 2) return [title, missing(`the gold reward at evaluations of ${name} (eval/gold, with reward.world), against KL`)];
  const format = (value: number) => decimal(value);
  const x = { label: '√KL, KL in nats an answer', format };
  const panel = (title: string, label: string, points: Point[]) =>
    lineChart({ title, x, y: { label, format }, series: [{ name: 'PPO', points, style: 'marks' }] });
  const goldChart = panel('Gold reward against √KL', 'gold reward', gold);
  const bestOf = bestOfChart(run);
  return [
    title,
    text(
      `${exploited(gold, score)} Where the score rises and gold falls, the policy has learnt what deceives the reward model (Gao et al. 2022).`,
    ),
    ...charts([
      goldChart && { ...goldChart, says: exploited(gold, score) },
      panel('Score, the proxy, against √KL', 'score', score),
      bestOf,
    ]),
    bestOf
      ? text('Best of n is measured on the answers of the rankings, to other prompts.')
      : missing('best of n by gold reward: no evaluation of the reward model has it'),
  ];
}

/** What choosing among n answers gains, over the √KL that it costs; undefined where no evaluation of the reward model has it. */
function bestOfChart(run: Run): Chart | undefined {
  const found = evaluationsOf(run, 'preferences').find(({ evaluation }) => evaluation.best_of_n.length > 1)?.evaluation.best_of_n ?? [];
  const points = (of: 'gold' | 'oracle') =>
    found.flatMap(({ kl, [of]: y }) => (kl === undefined || y === undefined ? [] : [{ x: Math.sqrt(kl), y }]));
  const format = (value: number) => decimal(value);
  return lineChart({
    title: `Best of n up to ${found.at(-1)?.n}, gold reward against √KL`,
    x: { label: '√KL, KL in nats an answer', format },
    y: { label: 'gold reward', format },
    series: [
      { name: 'of the best there is', points: points('oracle'), style: 'marks' },
      { name: 'chosen by score', points: points('gold'), style: 'marks' },
    ],
  });
}

/** Where gold was highest, and what came after it. */
export function exploited(gold: readonly Point[], score: readonly Point[]): string {
  const best = gold.reduce((most, point) => (point.y > most.y ? point : most));
  const last = gold[gold.length - 1];
  const at = `The gold reward is highest, ${decimal(best.y)}, at ${decimal(best.x ** 2, 1)} nats`;
  if (best === last) return `${at}, the last evaluation: it has not turned.`;
  const [then, now] = [score[gold.indexOf(best)], score.at(-1)];
  const rising = then && now && now.y > then.y ? `, while the score goes on from ${decimal(then.y)} to ${decimal(now.y)}` : '';
  return `${at}, and ${decimal(last.y)} at the last evaluation${rising}.`;
}
