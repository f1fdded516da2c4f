import { paint, table } from '../util/terminal.js';
import { withoutControls } from '../util/visible.js';
import type { AnswerScores, ConversationEvaluation, Evaluation, TextEvaluation, TextScores } from './evaluation.js';
import { wilson } from './intervals.js';
import { partText, percent, preferencesText } from './show-preferences.js';

/** An evaluation as people read it in a terminal. */
export function evaluationText(evaluation: Evaluation): string {
  if (evaluation.kind === 'preferences') return preferencesText(evaluation);
  const sources = Object.entries(evaluation.sources);
  const rows: [string, TextScores & Partial<AnswerScores>][] = [...(sources.length > 1 ? sources : []), ['all', evaluation.all]];
  const header = ['source', 'tokens', 'loss', 'perplexity', 'bits per byte', 'token accuracy'];
  const answered = evaluation.kind === 'conversations' && evaluation.all.answers !== undefined;
  if (answered) header.push('answers', 'exact match', 'normalised match', 'finished');
  const cells = rows.map(([source, scores]) => [source, ...textCells(scores), ...(answered ? answerCells(scores) : [])]);
  return [
    `${evaluation.data}: ${described(evaluation)}`,
    table(cells, { header, align: ['left', ...header.slice(1).map(() => 'right' as const)] }).replace(/^/gm, '  '),
    ...(evaluation.kind === 'conversations' ? examplesText(evaluation) : []),
  ].join('\n');
}

function described(evaluation: TextEvaluation | ConversationEvaluation): string {
  if (evaluation.kind === 'text') return `text${partText(evaluation.part)}`;
  const { conversations, too_long, part } = evaluation;
  const left = too_long === 0 ? '' : `, of which ${too_long.toLocaleString('en')} are longer than the context and left out`;
  return `${conversations.toLocaleString('en')} conversations${partText(part)}${left}`;
}

function textCells({ tokens, loss, perplexity, bits_per_byte, token_accuracy }: TextScores): (string | number)[] {
  return [tokens, loss.toFixed(4), perplexity.toFixed(2), bits_per_byte.toFixed(4), percent(token_accuracy)];
}

function answerCells({ answers = 0, exact_match = 0, normalised_match = 0, finished = 0 }: Partial<AnswerScores>): (string | number)[] {
  const within = (share: number) => {
    if (answers === 0) return '–';
    const [low, high] = wilson(share * answers, answers);
    return `${percent(share)} (${percent(low)} – ${percent(high)})`;
  };
  return [answers, within(exact_match), within(normalised_match), answers === 0 ? '–' : percent(finished)];
}

function examplesText({ examples }: ConversationEvaluation): string[] {
  const signs = { exact: 'exact match', normalised: 'normalised match', none: 'no match' };
  return examples.flatMap(({ prompt, reference, answer, match }) => [
    '',
    ...prompt.map(({ role, content }) => `  ${paint(role, 'bold')}: ${shown(content)}`),
    `  ${paint('expected', 'bold')}: ${shown(reference)}`,
    `  ${paint('answered', 'bold')}: ${shown(answer)}  [${signs[match]}]`,
  ]);
}

const shown = (text: string) => withoutControls(text).replaceAll('\n', '\n    ');
