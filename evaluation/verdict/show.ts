import { paint, table } from '../../util/terminal.js';
import type { Interval } from '../intervals.js';
import { percent } from '../show-preferences.js';
import type { Decoded, Verdict } from './types.js';

/** What stands where nothing was measured, or a number would mean nothing. */
const MISSING = '–';

/** A verdict as people read it in a terminal: how the models answer at temperature 1, greedily, and what else there is of them. */
export function verdictText({ prompts, models, reference }: Verdict): string {
  const named = Object.entries(models);
  const [sampled, greedy] = (['sampled', 'greedy'] as const).map((decoding) =>
    decodingTable(named.map(([name, { decodings }]) => [name, decodings[decoding]])),
  );
  const others = named.map(([name, { eval_loss, text_bits_per_byte, how }]) => [
    name,
    ...[eval_loss, text_bits_per_byte].map((value) => value?.toFixed(4) ?? MISSING),
    how,
  ]);
  const kinds = [...new Set(named.flatMap(([, { decodings }]) => Object.keys(decodings.sampled.by_kind)))];
  const byKind = named.map(([name, { decodings }]) => [name, ...kinds.map((kind) => within(decodings.sampled.by_kind[kind]))]);
  return [
    paint(`${prompts.path}: ${prompts.count.toLocaleString('en')} prompts, one answer each`, 'bold'),
    '',
    `temperature 1; KL and win rate are against ${reference}, ± is 95 %`,
    indented(sampled),
    '',
    'greedy',
    indented(greedy),
    '',
    'gold reward by kind of prompt, temperature 1',
    indented(table(byKind, { header: ['model', ...kinds], align: ['left', ...kinds.map(() => 'right' as const)] })),
    '',
    indented(
      table(others, { header: ['model', 'held-out loss', 'bits per byte of text', 'asked by'], align: ['left', 'right', 'right', 'left'] }),
    ),
  ].join('\n');
}

function decodingTable(models: readonly [name: string, Decoded | undefined][]): string {
  const columns: [header: string, cell: (of: Decoded) => string][] = [
    ['gold reward', (of) => within(of.gold_reward)],
    ['score', (of) => within(of.score, 2)],
    ['KL', (of) => within(of.kl, 2)],
    ['entropy', (of) => of.entropy?.toFixed(3) ?? MISSING],
    ['distinct-2', (of) => of.distinct_2.toFixed(3)],
    ['win rate', (of) => within(of.win_rate, 1, 100)],
    ['exact match', (of) => (of.exact_match === undefined ? MISSING : percent(of.exact_match))],
    ['tokens', (of) => of.response_length.toFixed(1)],
    ['ended', (of) => percent(of.ended)],
  ];
  const rows = models.map(([name, of]) => [name, ...columns.map(([, cell]) => (of ? cell(of) : MISSING))]);
  return table(rows, { header: ['model', ...columns.map(([header]) => header)], align: ['left', ...columns.map(() => 'right' as const)] });
}

/** mean ± half of the interval; where that is a point the mean alone. */
function within(interval: Interval | undefined, digits = 3, times = 1): string {
  if (!interval) return MISSING;
  const { mean, ci95 } = interval;
  const half = (ci95[1] - ci95[0]) / 2;
  const [value, beside] = [mean, half].map((number) => (times * number).toFixed(digits));
  return half > 0 ? `${value} ± ${beside}` : value;
}

function indented(text: string): string {
  return text.replace(/^/gm, '  ');
}
