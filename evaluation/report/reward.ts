import { type Block, charts, heading, list, missing, type Section, text } from './blocks.js';
import { evaluationsOf, measuredModel } from './evaluations.js';
import { count, decimal, percent, range } from './numbers.js';
import { rateChart } from './pretraining.js';
import type { Run, RunStep } from './read.js';
import { lineChart, pointsOf } from './series.js';
import type { Accuracy, Interval, PreferenceEvaluation } from './shapes.js';
import { stageBlocks } from './stage.js';

/** How good the reward model is, how well it knows that, and on what it fails. */
export function rewardSection(run: Run): Section {
  const blocks = stageBlocks(run, 'reward', 'the reward model', stepBlocks);
  const found = evaluationsOf(run, 'preferences');
  for (const { step, evaluation } of found) {
    blocks.push(heading(`${measuredModel(step)} on ${evaluation.data ?? 'preferences'}${evaluation.part === 'eval' ? ', held out' : ''}`));
    blocks.push(...evaluationBlocks(evaluation));
  }
  if (found.length === 0)
    blocks.push(missing('calibration, margins and boundary: no step of kind eval measured the reward model on preferences'));
  return { id: 'reward', title: 'Reward model', blocks };
}

function stepBlocks({ metrics, summary, members }: RunStep): Block[] {
  const last = (key: string) => summary?.metrics[key] ?? pointsOf(metrics, key).at(-1)?.y;
  const [accuracy, low, high] = ['eval/accuracy', 'eval/accuracy_low', 'eval/accuracy_high'].map(last);
  const interval = low !== undefined && high !== undefined ? ` (95\u00a0% interval ${range([low, high], percent)})` : '';
  return [
    accuracy === undefined
      ? missing('accuracy on held-out rankings')
      : text(`It puts the better of two held-out answers first in ${percent(accuracy)} of the pairs${interval}.`),
    ...(members === undefined ? [] : [text(`An ensemble of ${members}; the curves are those of its first member.`)]),
    ...charts([
      lineChart({
        title: 'Accuracy, pairs in the right order',
        y: { label: 'share', format: (value) => decimal(value) },
        series: [
          { name: 'training', points: pointsOf(metrics, 'accuracy'), style: 'thin' },
          { name: 'held out', points: pointsOf(metrics, 'eval/accuracy'), style: 'marks' },
        ],
      }),
      lineChart({
        title: 'Loss',
        y: { label: 'nats a comparison', format: (value) => decimal(value) },
        series: [
          { name: 'training', points: pointsOf(metrics, 'loss'), style: 'thin' },
          { name: 'held out', points: pointsOf(metrics, 'eval/loss'), style: 'marks' },
        ],
      }),
      lineChart({
        title: 'Calibration error, held out',
        y: { label: 'share', format: (value) => decimal(value) },
        series: [{ name: 'calibration error', points: pointsOf(metrics, 'eval/ece'), style: 'marks' }],
      }),
      rateChart(metrics),
    ]),
    ...trainedBoundary(summary?.metrics ?? {}),
  ];
}

/** What the stage itself measured on other tables: `boundary/TABLE/outside` of its summary. */
function trainedBoundary(metrics: Readonly<Record<string, number>>): Block[] {
  const tables = [...new Set(Object.keys(metrics).flatMap((key) => /^boundary\/(.+)\/[^/]+$/.exec(key)?.[1] ?? []))];
  if (tables.length === 0) return [];
  const of = (table: string, key: string) => metrics[`boundary/${table}/${key}`];
  return [
    heading('On other tables (data.boundary)'),
    {
      type: 'table',
      header: ['table', 'accuracy', 'calibration error', 'distance', 'outside'],
      rows: tables.map((table) => [
        { text: table, code: true },
        percent(of(table, 'accuracy')),
        percent(of(table, 'ece')),
        decimal(of(table, 'distance')),
        percent(of(table, 'outside')),
      ]),
      align: ['left', 'right', 'right', 'right', 'right'],
    },
  ];
}

function evaluationBlocks({ metrics, boundary, spread, best_of_n }: PreferenceEvaluation): Block[] {
  const { accuracy, interval, pairs, prompts, similarLength, longerIsBetter, tau, calibration, calibrated, temperature, histogram } =
    metrics;
  const between = interval ? ` (95\u00a0% interval ${range(interval, percent)})` : '';
  const facts = [
    accuracy !== undefined && `Right in ${percent(accuracy)} of ${count(pairs)} pairs of ${count(prompts)} prompts${between}.`,
    similarLength?.accuracy !== undefined &&
      `Of answers of similar length: ${percent(similarLength.accuracy)} of ${count(similarLength.pairs)} pairs. Taking the longer answer would be right in ${percent(longerIsBetter)}.`,
    tau !== undefined && `Kendall’s τ-b between ranking and scores: ${decimal(tau)}.`,
    calibration?.ece !== undefined &&
      `Calibration error ${percent(calibration.ece)}${calibrated?.ece === undefined ? '' : `; ${percent(calibrated.ece)} with the margins divided by a temperature of ${decimal(temperature)}`}.`,
    spread !== undefined && `Its members’ scores differ by ${decimal(spread)} (standard deviation).`,
    boundary?.outside !== undefined &&
      `${percent(boundary.outside)} of these answers lie outside the boundary of what it was trained on (5\u00a0% would be like training); mean distance ${decimal(boundary.distance)}.`,
  ].filter((fact) => fact !== false);
  const absent = [
    accuracy === undefined && 'accuracy',
    !calibration?.bins.length && 'calibration',
    histogram.length === 0 && 'margins',
    !boundary && 'boundary',
  ].filter((name) => name !== false);
  return [
    ...warnings(metrics, boundary?.outside),
    ...list(facts),
    ...(absent.length > 0 ? [missing(`${absent.join(', ')} of this evaluation`)] : []),
    ...charts([
      reliability(metrics),
      margins(histogram),
      breakdown('Accuracy by what the answers differ in', metrics.sources),
      breakdown('Accuracy where the better answer is …', metrics.byLength),
    ]),
    ...bestOfTable(best_of_n),
  ];
}

function warnings({ interval }: PreferenceEvaluation['metrics'], outside: number | undefined): Block[] {
  const lines = [
    interval && interval[1] < 0.5 && 'It takes the worse answer for the better one more often than not.',
    interval && interval[0] <= 0.5 && interval[1] >= 0.5 && 'It cannot be told from chance: the interval holds 50 %.',
    outside !== undefined && outside > 0.5 && 'Most of these answers are unlike those that it was trained on: its scores here are guesses.',
  ];
  return lines.flatMap((line) => (line ? [{ type: 'warning' as const, text: line }] : []));
}

function reliability({ calibration, calibrated }: PreferenceEvaluation['metrics']) {
  const points = (bins: { confidence: number; accuracy: number }[] = []) =>
    bins.map(({ confidence, accuracy }) => ({ x: confidence, y: accuracy }));
  const series = [
    { name: 'as it is', points: points(calibration?.bins), style: 'marks' as const },
    { name: 'with temperature', points: points(calibrated?.bins), style: 'marks' as const },
  ];
  const format = (value: number) => decimal(value);
  const chart = lineChart({
    title: 'Reliability: how sure it is, and how often it is right',
    x: { label: 'how sure', domain: [0.5, 1], format },
    y: { label: 'how often right', domain: [0, 1], format },
    series,
  });
  if (chart?.kind !== 'lines') return undefined;
  return { ...chart, diagonal: true, says: `calibration error ${percent(calibration?.ece)}, ${percent(calibrated?.ece)} with temperature` };
}

function margins(histogram: PreferenceEvaluation['metrics']['histogram']) {
  if (histogram.length === 0) return undefined;
  const all = histogram.reduce((sum, { pairs }) => sum + pairs, 0);
  const wrong = histogram.filter(({ to }) => to <= 0).reduce((sum, { pairs }) => sum + pairs, 0);
  return {
    kind: 'histogram' as const,
    title: 'Margins: score of the better answer less that of the worse',
    says: `${percent(all === 0 ? undefined : wrong / all, 0)} of ${count(all)} pairs lie in bars below 0, where the order is wrong`,
    x: { label: 'margin', format: (value: number) => decimal(value) },
    y: { label: 'pairs', format: count },
    bins: histogram.map(({ from, to, pairs }) => ({ from, to, value: pairs })),
  };
}

function breakdown(title: string, groups: Readonly<Record<string, Accuracy>>) {
  const rows = Object.entries(groups).filter(([, { accuracy }]) => accuracy !== undefined);
  if (rows.length < 2) return undefined;
  const values = rows.map(([, { accuracy, interval, pairs }]): Interval => ({ mean: accuracy!, ci95: interval, n: pairs }));
  const worst = rows.reduce((least, row) => (row[1].accuracy! < least[1].accuracy! ? row : least));
  return {
    kind: 'intervals' as const,
    title,
    says: `the lowest is ${percent(worst[1].accuracy)}, for ${worst[0].replaceAll('_', ' ')}`,
    x: { label: 'accuracy', domain: [0, 1] as [number, number], format: (value: number) => decimal(value) },
    rows: rows.map(([name]) => name.replaceAll('_', ' ')),
    series: [{ name: 'accuracy', values }],
    rule: 0.5,
  };
}

function bestOfTable(found: PreferenceEvaluation['best_of_n']): Block[] {
  if (found.length < 2) return [];
  return [
    heading('Best of n: the answer that it likes best'),
    {
      type: 'table',
      header: ['n', 'gold', 'gold of the best there is', 'score', 'KL, nats'],
      rows: found.map(({ n, gold, oracle, proxy, kl }) => [count(n), decimal(gold), decimal(oracle), decimal(proxy), decimal(kl)]),
      align: ['right', 'right', 'right', 'right', 'right'],
    },
  ];
}
