/** Tables of what steps of kind `eval` measured. */
import { type Block, type Cell, heading } from './blocks.js';
import { count, decimal, NOTHING, percent } from './numbers.js';
import type { Run, RunStep } from './read.js';
import type { ConversationEvaluation, Evaluation, PreferenceEvaluation, TextEvaluation } from './shapes.js';

interface Measured<T> {
  step: RunStep;
  evaluation: T;
}

/** The evaluations of a kind, with the steps that made them. */
export function evaluationsOf(run: Run, kind: 'preferences'): Measured<PreferenceEvaluation>[];
export function evaluationsOf(run: Run, kind: 'text' | 'conversations'): Measured<TextEvaluation | ConversationEvaluation>[];
export function evaluationsOf({ steps }: Run, kind: Evaluation['kind']): Measured<Evaluation>[] {
  return steps.flatMap((step) =>
    step.evaluations.filter((evaluation) => evaluation.kind === kind).map((evaluation) => ({ step, evaluation })),
  );
}

/** Which checkpoint a step measured, where its configuration says so. */
export function measuredModel({ config, name }: RunStep): string {
  const checkpoint = config['checkpoint'] ?? config['model'];
  return typeof checkpoint === 'string' ? checkpoint : name;
}

/** What the evaluations of a kind found, one row each; nothing where there are none. */
export function evaluationTable(run: Run, kind: 'text' | 'conversations'): Block[] {
  const found = evaluationsOf(run, kind);
  if (found.length === 0) return [];
  const answered = found.some(({ evaluation: { all } }) => 'answers' in all && all.answers !== undefined);
  const rows = found.map(({ step, evaluation: { data, part, all } }): Cell[] => [
    { text: measuredModel(step), code: true },
    { text: data ?? NOTHING, code: true, note: part === 'eval' ? 'held out' : part === 'train' ? 'training part' : undefined },
    count(all.tokens),
    decimal(all.loss, 3),
    decimal(all.bits_per_byte, 3),
    ...(answered ? answerCells(all) : []),
  ]);
  const header = [
    'checkpoint',
    'data',
    'tokens',
    'loss',
    'bits per byte',
    ...(answered ? ['answers', 'exact match', 'normalised match', 'finished'] : []),
  ];
  return [
    heading(kind === 'text' ? 'Measured on text' : 'Measured on conversations, answered greedily'),
    { type: 'table', header, rows, align: header.map((_, i) => (i < 2 ? 'left' : 'right')) },
  ];
}

function answerCells(all: TextEvaluation['all'] | ConversationEvaluation['all']): Cell[] {
  if (!('answers' in all)) return [NOTHING, NOTHING, NOTHING, NOTHING];
  return [count(all.answers), percent(all.exact_match), percent(all.normalised_match), percent(all.finished)];
}
