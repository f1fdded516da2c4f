import { histogram, table } from '../util/terminal.js';
import type { Part, PreferenceEvaluation } from './evaluation.js';
import type { Accuracy, Calibration } from './reward-metrics.js';

/** What a reward model is worth, as people read it in a terminal. */
export function preferencesText(evaluation: PreferenceEvaluation): string {
  const { data, part, rows, without_comparison, too_long, metrics, spread, boundary, best_of_n } = evaluation;
  const left = [
    without_comparison > 0 && `${count(without_comparison)} without a comparison`,
    too_long > 0 && `${count(too_long)} too long`,
  ].filter(Boolean);
  const facts: [string, string][] = [
    ['pair accuracy', within(metrics)],
    ['of similar length', metrics.similarLength.pairs > 0 ? within(metrics.similarLength) : 'no such pairs'],
    ['the longer one', `${percent(metrics.longerIsBetter)} would be right by taking the longer answer for the better one`],
    [
      'score and length',
      `correlation ${correlation(metrics.lengthCorrelation.all)}, within a prompt ${correlation(metrics.lengthCorrelation.within)}`,
    ],
    ["Kendall's τ-b", metrics.tau === undefined ? '–' : metrics.tau.toFixed(3)],
    ['loss, margin', `${metrics.loss.toFixed(4)}, ${metrics.margin.toFixed(3)}`],
    [
      'calibration error',
      `${percent(metrics.calibration.ece)}; with temperature ${metrics.temperature.toFixed(2)} ${percent(metrics.calibrated.ece)} (fitted on the other half)`,
    ],
    ...(spread === undefined ? [] : [['members', `scores differ by ${spread.toFixed(3)} (standard deviation)`] as [string, string]]),
    ...(boundary
      ? [
          [
            'boundary',
            `distance ${boundary.distance.toFixed(2)}, ${percent(boundary.outside)} of the answers outside (training-like ones: 5 %)`,
          ] as [string, string],
        ]
      : []),
  ];
  return [
    `${data}: ${count(metrics.prompts)} prompts${partText(part)}, ${count(metrics.pairs)} pairs${left.length > 0 ? `; of ${count(rows)} rows ${left.join(', ')}: left out` : ''}`,
    table(facts).replace(/^/gm, '  '),
    ...warning(evaluation),
    ...breakdown('by source', metrics.sources),
    ...breakdown('the better one is', metrics.byLength),
    ...breakdown('ranks apart', metrics.byRankDistance),
    '',
    '  margins (better less worse)',
    histogram(
      metrics.histogram.map(({ from, to, pairs }) => ({ label: `${from.toFixed(2)} – ${to.toFixed(2)}`, value: pairs, past: to <= 0 })),
    ).replace(/^/gm, '    '),
    '',
    '  how sure it is, and how often it is right',
    reliability(metrics.calibration),
    ...(best_of_n && best_of_n.length > 1
      ? [
          '',
          '  best of n: the answer that it likes best',
          table(
            best_of_n.map(({ n, gold, oracle, proxy, kl }) => [n, gold.toFixed(3), oracle.toFixed(3), proxy.toFixed(3), kl.toFixed(2)]),
            { header: ['n', 'gold', 'gold at best', 'score', 'KL'], align: ['right', 'right', 'right', 'right', 'right'] },
          ).replace(/^/gm, '    '),
        ]
      : []),
  ].join('\n');
}

/** What a user must not overlook. */
function warning({ metrics, boundary }: PreferenceEvaluation): string[] {
  const {
    accuracy,
    interval: [low, high],
    longerIsBetter,
  } = metrics;
  const lines: string[] = [];
  if (high < 0.5) lines.push('  It takes the worse answer for the better one more often than not. Do not optimise against this model');
  else if (low <= 0.5) lines.push('  It cannot be told from chance: the interval holds 50 %. Do not optimise against this model');
  else if (Math.max(longerIsBetter, 1 - longerIsBetter) >= accuracy)
    lines.push(
      `  Length alone, the ${longerIsBetter > 0.5 ? 'longer' : 'shorter'} answer, tells the better one as often: it may have learnt length`,
    );
  if (boundary && boundary.outside > 0.5)
    lines.push('  Most of these answers are unlike those it was trained on: its scores here are guesses');
  return lines;
}

function breakdown(title: string, parts: Record<string, Accuracy>): string[] {
  const rows = Object.entries(parts);
  if (rows.length < 2) return [];
  const lines = table(
    rows.map(([name, found]) => [name, found.pairs, within(found)]),
    { header: [title, 'pairs', 'accuracy'], align: ['left', 'right', 'left'] },
  );
  return ['', lines.replace(/^/gm, '  ')];
}

function reliability({ bins }: Calibration): string {
  const rows = bins.map(({ pairs, confidence, accuracy }) => [pairs, percent(confidence), percent(accuracy)]);
  return table(rows, { header: ['pairs', 'sure', 'right'], align: ['right', 'right', 'right'] }).replace(/^/gm, '    ');
}

const within = ({ accuracy, interval: [low, high], pairs }: Accuracy) =>
  `${percent(accuracy)} (${percent(low)} – ${percent(high)}, ${count(pairs)} pairs)`;
const correlation = (r: number) => (Number.isNaN(r) ? '–' : r.toFixed(2));
const count = (n: number) => n.toLocaleString('en');
export const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
export const partText = (part: Part) => ({ all: '', train: ' of the training part', eval: ' held out' })[part];
