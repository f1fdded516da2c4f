import { UserError } from '../../util/errors.js';
import { type Block, type Cell, type Chart, charts, heading, missing, type Section, text } from './blocks.js';
import { configDifferences, type Difference, lineageDifferences, stepNames, stepOf } from './diff.js';
import { bytes, count, decimal, duration, figure, NOTHING, percent, range, within } from './numbers.js';
import { type Run, type RunStep, readRun, verdictOf } from './read.js';
import { lineChart, pointsOf } from './series.js';
import type { Interval, VerdictModel } from './shapes.js';
import { compared, goldOf, measuresOf, modelLabel, overlap } from './verdict.js';

/**
 * Runs beside each other, as a page or as Markdown.
 * @throws UserError where fewer than two are given, or one is none.
 */
export async function compareRuns(paths: readonly string[], format: 'html' | 'markdown'): Promise<string> {
  if (paths.length < 2) throw new UserError(`compare: two or more runs are required; received ${paths.join(', ') || 'none'}. Name another`);
  const runs = await Promise.all(paths.map(readRun));
  const sections = comparison(runs);
  const [title, about] = [namesOf(runs).join(' and '), `${runs.length} runs beside each other`];
  if (format === 'html') {
    const { reportPage } = await import('./html.js');
    return reportPage(title, about, sections);
  }
  const { reportMarkdown } = await import('./markdown.js');
  return reportMarkdown(title, about, sections);
}

/** The parts of a comparison. */
export function comparison(runs: readonly Run[]): Section[] {
  return [
    { id: 'figures', title: 'Figures', blocks: figureBlocks(runs) },
    { id: 'curves', title: 'Curves', blocks: curveBlocks(runs) },
    { id: 'configuration', title: 'Configuration', blocks: differenceBlocks(runs, configDifferences(runs), 'configuration') },
    { id: 'lineage', title: 'Lineage', blocks: differenceBlocks(runs, lineageDifferences(runs), 'lineage') },
  ];
}

/** Names that differ: those of the runs, or else their paths. */
function namesOf(runs: readonly Run[]): string[] {
  const distinct = new Set(runs.map(({ name }) => name)).size === runs.length;
  return runs.map(({ name, path }) => (distinct ? name : path));
}

function figureBlocks(runs: readonly Run[]): Block[] {
  const verdicts = runs.map(verdictOf);
  const keys = [...new Set(verdicts.flatMap((verdict) => Object.keys(verdict?.models ?? {})))];
  const golds = (key: string) => verdicts.map((verdict) => goldOf(verdict?.models[key]));
  const lead = leadOf(runs);
  const absent = namesOf(runs).filter((_, r) => !verdicts[r]);
  return [
    ...(lead === undefined ? [] : [{ type: 'lead' as const, text: lead }]),
    ...charts([goldChart(runs, keys, golds)], 'wide'),
    {
      type: 'table',
      header: ['', ...namesOf(runs)],
      rows: [
        ...keys.map((key): Cell[] => [`gold reward, ${modelLabel(key)}`, ...golds(key).map((gold) => intervalCell(gold))]),
        ...lastModelRows(runs),
        ...stageRows(runs),
        ...resourceRows(runs),
      ],
      align: ['left', ...runs.map(() => 'right' as const)],
    },
    ...(absent.length > 0 ? [missing(`the verdict of ${absent.join(', ')}`)] : []),
  ];
}

/** Which of two runs ends better, where both have a verdict. */
function leadOf(runs: readonly Run[]): string | undefined {
  const last = runs.flatMap((run, r) => {
    const verdict = verdictOf(run);
    const { after } = verdict ? compared(verdict) : {};
    const gold = after === undefined ? undefined : goldOf(verdict?.models[after]);
    return gold ? [{ name: namesOf(runs)[r], model: modelLabel(after!), gold }] : [];
  });
  if (last.length < 2) return undefined;
  const ordered = [...last].sort((a, b) => b.gold.mean - a.gold.mean);
  const said = ordered.map(({ name, model, gold }) => `${model} of ${name} ${within(gold)}`).join(', ');
  const apart = overlap(ordered[0].gold, ordered[1].gold);
  const which = ordered.length > 2 ? ' of the first two' : '';
  const relation = apart === undefined ? '' : `; the 95\u00a0% intervals${which} ${apart ? 'overlap' : 'do not overlap'}`;
  return `Gold reward: ${said}${relation}.`;
}

const intervalCell = (interval: Interval | undefined): Cell =>
  interval ? { text: decimal(interval.mean), note: range(interval.ci95) || undefined } : NOTHING;

function goldChart(runs: readonly Run[], keys: readonly string[], golds: (key: string) => (Interval | undefined)[]): Chart | undefined {
  const best = keys
    .flatMap((key) => golds(key).flatMap((gold, r) => (gold ? [{ key, r, gold }] : [])))
    .sort((a, b) => b.gold.mean - a.gold.mean)[0];
  if (best === undefined) return undefined;
  return {
    kind: 'intervals',
    title: 'Gold reward at temperature 1',
    says: `the highest is ${modelLabel(best.key)} of ${namesOf(runs)[best.r]} with ${within(best.gold)}`,
    x: { label: 'gold reward', domain: [0, 1], format: (value) => decimal(value) },
    rows: keys.map(modelLabel),
    series: namesOf(runs).map((name, r) => ({ name, values: keys.map((key) => golds(key)[r]) })),
  };
}

/** What the verdicts measure of each run's last model, but for the gold reward itself. */
function lastModelRows(runs: readonly Run[]): Cell[][] {
  const found = runs.map((run) => {
    const verdict = verdictOf(run);
    const { after } = verdict ? compared(verdict) : {};
    return verdict && after !== undefined ? { verdict, after, model: verdict.models[after] as VerdictModel } : undefined;
  });
  const labels = [...new Set(found.flatMap((one) => (one ? measuresOf(one.verdict, 'sampled').map(({ label }) => label) : [])))];
  return labels
    .filter((label) => label !== 'gold reward')
    .map((label): Cell[] => [
      `${modelLabel(found.find((one) => one)?.after ?? '')}: ${label.replace('– ', '')}`,
      ...found.map((one) => {
        const decoded = one?.model.decodings.sampled;
        const measure = one && measuresOf(one.verdict, 'sampled').find((own) => own.label === label);
        return (decoded && measure?.of(decoded, one.model)) ?? NOTHING;
      }),
    ])
    .filter(([, ...cells]) => cells.some((cell) => cell !== NOTHING));
}

const STAGE_FIGURES: { kind: string; key: string; label: string; write: (value: number) => string }[] = [
  { kind: 'pretrain', key: 'eval/loss', label: 'held-out loss', write: (value) => decimal(value, 3) },
  { kind: 'pretrain', key: 'eval/bits_per_byte', label: 'bits per byte', write: (value) => decimal(value, 3) },
  { kind: 'sft', key: 'eval/loss', label: 'held-out loss', write: (value) => decimal(value, 3) },
  { kind: 'sft', key: 'eval/replay/bits_per_byte', label: 'bits per byte of replayed text', write: (value) => decimal(value, 3) },
  { kind: 'reward', key: 'eval/accuracy', label: 'held-out accuracy', write: percent },
  { kind: 'reward', key: 'eval/ece', label: 'calibration error', write: percent },
  { kind: 'ppo', key: 'eval/gold', label: 'gold reward at the last evaluation', write: decimal },
  { kind: 'ppo', key: 'eval/score', label: 'score at the last evaluation', write: decimal },
  { kind: 'ppo', key: 'eval/kl', label: 'KL at the last evaluation', write: decimal },
];

/** The last values of the stages, of steps that at least one run has recorded. */
function stageRows(runs: readonly Run[]): Cell[][] {
  return sharedSteps(runs, 1).flatMap(({ name, steps }) =>
    STAGE_FIGURES.filter(({ kind }) => steps.some((step) => step?.kind === kind)).flatMap(({ key, label, write }): Cell[][] => {
      const values = steps.map((step) => step && lastOf(step, key));
      if (values.every((value) => value === undefined)) return [];
      return [[`${name}: ${label}`, ...values.map((value) => (value === undefined ? NOTHING : write(value)))]];
    }),
  );
}

const lastOf = ({ metrics, summary }: RunStep, key: string) => pointsOf(metrics, key).at(-1)?.y ?? summary?.metrics[key];

function resourceRows(runs: readonly Run[]): Cell[][] {
  const times = runs.map(({ steps }) =>
    steps.map(({ record, summary }) => record?.seconds ?? summary?.seconds).filter((time) => time !== undefined),
  );
  const memory = runs.map(({ steps }) =>
    steps.map(({ record, summary }) => record?.peak_memory_bytes ?? summary?.peak_memory_bytes).filter((most) => most !== undefined),
  );
  const speeds = sharedSteps(runs, 1).filter(({ steps }) => steps.some((step) => step?.summary?.tokens_per_second !== undefined));
  return [
    ['time', ...times.map((all) => (all.length > 0 ? duration(all.reduce((a, b) => a + b, 0)) : NOTHING))],
    ...speeds.map(({ name, steps }) => [`${name}: tokens/s`, ...steps.map((step) => count(step?.summary?.tokens_per_second))]),
    ['peak memory', ...memory.map((all) => bytes(all.length > 0 ? Math.max(...all) : undefined))],
  ];
}

/** The steps of which at least `least` runs have one of that name, one a run. */
function sharedSteps(runs: readonly Run[], least: number): { name: string; steps: (RunStep | undefined)[] }[] {
  return stepNames(runs)
    .map((name) => ({ name, steps: runs.map((run) => stepOf(run, name)) }))
    .filter(({ steps }) => steps.filter((step) => step !== undefined).length >= least);
}

const CURVES: { kind: string; key: string; title: string; label: string; log?: boolean }[] = [
  { kind: 'pretrain', key: 'loss', title: 'Training loss', label: 'nats a token', log: true },
  { kind: 'pretrain', key: 'eval/bits_per_byte', title: 'Bits per byte, held-out text', label: 'bits per byte' },
  { kind: 'sft', key: 'loss', title: 'Training loss', label: 'nats a token', log: true },
  { kind: 'sft', key: 'eval/loss', title: 'Loss on held-out conversations', label: 'nats a token' },
  { kind: 'reward', key: 'eval/accuracy', title: 'Accuracy on held-out rankings', label: 'share' },
  { kind: 'reward', key: 'eval/ece', title: 'Calibration error, held out', label: 'share' },
  { kind: 'ppo', key: 'eval/gold', title: 'Gold reward at evaluations', label: 'gold reward' },
  { kind: 'ppo', key: 'eval/score', title: 'Score at evaluations', label: 'score' },
  { kind: 'ppo', key: 'objective/kl', title: 'KL from the reference', label: 'nats an answer' },
  { kind: 'ppo', key: 'policy/entropy_avg', title: 'Entropy', label: 'nats a token' },
];

/** Curves of the runs over each other, for the stages that at least two of them have. */
function curveBlocks(runs: readonly Run[]): Block[] {
  const names = namesOf(runs);
  const blocks = sharedSteps(runs, 2).flatMap(({ name, steps }): Block[] => {
    const kind = steps.find((step) => step !== undefined)!.kind;
    const drawn = CURVES.filter((curve) => curve.kind === kind).map(({ key, title, label, log }) =>
      lineChart({
        title,
        x: { label: kind === 'ppo' ? 'update' : 'step' },
        y: { label, format: figure, ...(log && { scale: 'log' as const }) },
        series: steps.map((step, r) => ({
          name: names[r],
          points: pointsOf(step?.metrics ?? [], key),
          style: key.startsWith('eval/') ? ('marks' as const) : ('thin' as const),
        })),
      }),
    );
    const found = charts(drawn);
    return found.length > 0 ? [heading(name), ...found] : [];
  });
  return blocks.length > 0 ? blocks : [missing('curves of a stage that two of the runs have')];
}

function differenceBlocks(runs: readonly Run[], found: readonly Difference[], what: string): Block[] {
  if (found.length === 0) return [text(`Nothing that was recorded of the ${what} differs.`)];
  return [
    ...(what === 'configuration' ? [text('Only keys that differ. RUN is the directory of each run.')] : []),
    {
      type: 'table',
      header: ['step', 'key', ...namesOf(runs)],
      rows: found.map(({ step, key, values }) => [step, { text: key, code: true }, ...values.map(valueCell)]),
      align: ['left', 'left', ...runs.map(() => 'left' as const)],
    },
  ];
}

const valueCell = (value: string | undefined): Cell => {
  if (value === undefined) return NOTHING;
  return /^[0-9a-f]{64}$/.test(value) ? { text: value.slice(0, 12), whole: value, code: true } : value;
};
