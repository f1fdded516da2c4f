import { type Block, charts, heading, missing, type Section, text } from './blocks.js';
import { evaluationTable } from './evaluations.js';
import { decimal, percent } from './numbers.js';
import { lossChart, rateChart, sampleBlocks } from './pretraining.js';
import { type Run, type RunStep, verdictOf } from './read.js';
import { lineChart, pointsOf } from './series.js';
import { stageBlocks } from './stage.js';
import { modelLabel } from './verdict.js';

/** Losses of supervised fine-tuning, and what was forgotten of the text before. */
export function fineTuningSection(run: Run): Section {
  const blocks = stageBlocks(run, 'sft', 'fine-tuning', stepBlocks);
  return {
    id: 'sft',
    title: 'Supervised fine-tuning (SFT)',
    blocks: [...blocks, ...evaluationTable(run, 'conversations'), ...(run.whole ? forgetting(run) : [])],
  };
}

function stepBlocks({ metrics, samples }: RunStep): Block[] {
  const held = pointsOf(metrics, 'eval/loss');
  const [first, last] = [held[0], held.at(-1)];
  const sentence =
    first && last && held.length > 1
      ? text(`Held-out conversations: from ${decimal(first.y, 3)} to ${decimal(last.y, 3)} nats a token of the answers.`)
      : missing('the loss on held-out conversations before and after');
  const replay = lineChart({
    title: 'Replayed pretraining text',
    y: { label: 'bits per byte', format: (value) => decimal(value, 3) },
    series: [{ name: 'bits per byte', points: pointsOf(metrics, 'eval/replay/bits_per_byte'), style: 'marks' }],
  });
  return [sentence, ...charts([lossChart(metrics), replay, rateChart(metrics)]), ...sampleBlocks(samples)];
}

/** Bits per byte of pretraining text, from model to model. */
function forgetting(run: Run): Block[] {
  const known = Object.entries(verdictOf(run)?.models ?? {}).flatMap(([key, { text_bits_per_byte: bits }]) =>
    bits === undefined ? [] : [{ name: modelLabel(key), bits }],
  );
  if (known.length < 2)
    return [heading('Forgetting'), missing('bits per byte of held-out pretraining text by model (text_bits_per_byte of the verdict)')];
  const largest = Math.max(...known.map(({ bits }) => bits));
  const [first, last] = [known[0], known[known.length - 1]];
  return [
    heading('Forgetting'),
    text(
      `The held-out pretraining text costs ${decimal(first.bits, 3)} bits per byte for ${first.name} and ${decimal(last.bits, 3)} for ${last.name}, ${percent(Math.abs(last.bits / first.bits - 1), 0)} ${last.bits >= first.bits ? 'more' : 'less'}.`,
    ),
    {
      type: 'table',
      header: ['model', 'bits per byte', ''],
      rows: known.map(({ name, bits }) => [name, decimal(bits, 3), { text: '', bar: bits / largest }]),
      align: ['left', 'right', 'left'],
    },
  ];
}
