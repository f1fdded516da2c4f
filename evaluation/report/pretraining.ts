import { type Block, charts, heading, missing, type Section, type Series, text } from './blocks.js';
import { evaluationTable } from './evaluations.js';
import { count, decimal, figure } from './numbers.js';
import type { Line, Run, RunStep } from './read.js';
import { lineChart, pointsOf, sourcesOf } from './series.js';
import { stageBlocks } from './stage.js';

/** Loss, learning rate and bits per byte of pretraining. */
export function pretrainingSection(run: Run): Section {
  const blocks = stageBlocks(run, 'pretrain', 'pretraining', stepBlocks);
  return { id: 'pretraining', title: 'Pretraining', blocks: [...blocks, ...evaluationTable(run, 'text')] };
}

function stepBlocks(step: RunStep): Block[] {
  const { metrics, samples } = step;
  const bits = lineChart({
    title: 'Bits per byte, held-out text',
    y: { label: 'bits per byte', format: (value) => decimal(value, 3) },
    series: [{ name: 'all sources', points: pointsOf(metrics, 'eval/bits_per_byte'), style: 'marks' }],
  });
  return [
    ...(bits && bits.kind === 'lines' ? [text(bitsSentence(metrics))] : [missing('bits per byte of held-out text')]),
    ...charts([lossChart(metrics), bits, rateChart(metrics)]),
    ...sourceTable(metrics),
    ...sampleBlocks(samples),
  ];
}

function bitsSentence(metrics: readonly Line[]): string {
  const last = pointsOf(metrics, 'eval/bits_per_byte').at(-1)!;
  const loss = pointsOf(metrics, 'eval/loss').at(-1);
  return `After ${count(last.x)} steps held-out text costs ${decimal(last.y, 3)} bits per byte${loss ? `, ${decimal(loss.y, 3)} nats a token` : ''}.`;
}

/** Training loss as it went, held-out loss where it was measured. */
export function lossChart(metrics: readonly Line[], more: Series[] = []) {
  return lineChart({
    title: 'Loss',
    y: { label: 'nats a token', scale: 'log', format: (value) => decimal(value, 2) },
    series: [
      { name: 'training', points: pointsOf(metrics, 'loss'), style: 'thin' },
      { name: 'held out', points: pointsOf(metrics, 'eval/loss'), style: 'marks' },
      ...more,
    ],
  });
}

export function rateChart(metrics: readonly Line[]) {
  return lineChart({
    title: 'Learning rate',
    y: { label: 'learning rate', format: figure },
    series: [{ name: 'learning rate', points: pointsOf(metrics, 'lr'), style: 'thin' }],
  });
}

/** Where held-out text has several sources. */
function sourceTable(metrics: readonly Line[]): Block[] {
  const sources = sourcesOf(metrics, 'eval/bits_per_byte');
  if (sources.length < 2) return [];
  const last = (key: string) => pointsOf(metrics, key).at(-1)?.y;
  return [
    {
      type: 'table',
      header: ['source', 'bits per byte', 'loss', 'likeliest token right'],
      rows: sources.map((source) => [
        source,
        decimal(last(`eval/bits_per_byte/${source}`), 3),
        decimal(last(`eval/loss/${source}`), 3),
        decimal(last(`eval/token_accuracy/${source}`), 2),
      ]),
      align: ['left', 'right', 'right', 'right'],
    },
  ];
}

const SHOWN = 4;

/** The texts of the last time that some were made. */
export function sampleBlocks(samples: readonly Line[]): Block[] {
  const last = samples.at(-1)?.['step'];
  const own = samples.filter(({ step, text }) => step === last && typeof text === 'string').slice(0, SHOWN);
  if (own.length === 0) return [missing('samples of what the model writes')];
  return [
    heading(`What it writes at step ${count(typeof last === 'number' ? last : undefined)}`),
    {
      type: 'quotes',
      quotes: own.map(({ prompt, text }) => ({
        label: typeof prompt === 'string' && prompt !== '' ? prompt : '(no prompt)',
        text: String(text),
      })),
    },
  ];
}
