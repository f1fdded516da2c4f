import { shuffled } from '../datasets/world/world.js';
import { RandomStream } from '../util/random.js';
import { withoutControls } from '../util/visible.js';
import type { Annotations } from './annotations.js';
import type { RankingTask } from './judges.js';

/** Where a person is asked. */
export interface Dialogue {
  /** The next line that is typed; undefined where there is none any more. */
  ask(): Promise<string | undefined>;
  show(text: string): void;
  /** Clock in milliseconds. */
  now(): number;
}

export interface Guideline {
  /** Markdown. */
  text: string;
  sha256: string;
}

export interface HumanRankingOptions {
  /** Of the order in which answers are shown. */
  seed: number;
  guideline?: Guideline;
}

export const HELP = [
  'Type the numbers of the answers, the best first: 2 > 1 = 3 says that 2 is the best, and 1 and 3 are equally good.',
  'Shorter: 2 1=3. Every answer must be there once.',
  's skips this prompt, u goes back to the one before, q stops (the same command goes on), ? shows this and the guideline.',
].join('\n');

/**
 * Asks a person to rank the tasks that have no standing annotation, one after another, answers in a random order that the seed and the row decide.
 * Each ranking, skip and undoing is written down at once. Ends when all are ranked, or the person stops.
 */
export async function rankByHand(
  tasks: readonly RankingTask[],
  annotations: Annotations,
  dialogue: Dialogue,
  { seed, guideline }: HumanRankingOptions,
): Promise<void> {
  const { standing } = annotations;
  let task = next(tasks, annotations);
  if (task) dialogue.show(HELP);
  while (task) {
    const order = orderShown(task, seed);
    dialogue.show(shownTask(task, order, `${standing.size + 1} of ${tasks.length}`));
    const began = dialogue.now();
    const answer = await askUntil(dialogue, order.length, guideline);
    const { row } = task;
    if (answer === 'stop') return;
    if (answer === 'undo') {
      const last = [...standing.keys()].at(-1);
      if (last === undefined) dialogue.show('There is nothing to undo.');
      else {
        annotations.add({ row: last, undone: true });
        task = tasks.find((other) => other.row === last);
        continue;
      }
    } else if (answer === 'skip') annotations.add({ row, skipped: true });
    else {
      const ranks = new Array<number>(order.length);
      for (const [place, k] of order.entries()) ranks[k] = answer[place];
      const seconds = Math.round((dialogue.now() - began) / 100) / 10;
      annotations.add({ row, ranks, seconds, ...(guideline && { guideline: guideline.sha256 }) });
    }
    task = next(tasks, annotations);
  }
}

const next = (tasks: readonly RankingTask[], { standing }: Annotations) => tasks.find(({ row }) => !standing.has(row));

const STREAM = 0x48554d41; // separates these draws from others under the same seed

/** Which answer stands in each place. */
export function orderShown({ row, answers }: RankingTask, seed: number): number[] {
  return shuffled(
    answers.map((_, k) => k),
    new RandomStream(seed, (STREAM + row) >>> 0),
  );
}

/** Asks until there is a ranking (ranks by place) or a command. */
async function askUntil(dialogue: Dialogue, K: number, guideline?: Guideline): Promise<number[] | 'stop' | 'undo' | 'skip'> {
  for (;;) {
    const line = (await dialogue.ask())?.trim().toLowerCase();
    if (line === undefined || line === 'q') return 'stop';
    if (line === 'u') return 'undo';
    if (line === 's') return 'skip';
    if (line === '') continue;
    if (line === '?')
      dialogue.show(
        [HELP, guideline ? withoutControls(guideline.text) : 'There is no guideline; --guideline FILE.md names one.'].join('\n\n'),
      );
    else {
      const ranks = parseRanking(line, K);
      if (typeof ranks !== 'string') return ranks;
      dialogue.show(`${ranks} ? says how.`);
    }
  }
}

/**
 * The ranks of K answers by their numbers from 1, as in `2 > 1 = 3`, `2 1=3` or, for fewer than 10, `21=3`: 1 is the best. A text says what is wrong.
 */
export function parseRanking(line: string, K: number): number[] | string {
  if (/[^\d\s>=,]/.test(line)) return `A ranking has numbers, > and =; received ${withoutControls(line, true)}.`;
  const tokens = line.match(K < 10 ? /\d|[>=]/g : /\d+|[>=]/g) ?? [];
  const ranks = new Array<number>(K).fill(0);
  let rank = 1;
  let sign: string | undefined = '>';
  for (const token of tokens) {
    if (token === '>' || token === '=') {
      if (sign !== undefined) return `${token} stands between two numbers.`;
      sign = token;
      continue;
    }
    const number = Number(token);
    if (number < 1 || number > K) return `The answers are 1 to ${K}; received ${token}.`;
    if (ranks[number - 1] > 0) return `Answer ${number} is there twice.`;
    if (sign !== '=' && ranks.some((given) => given > 0)) rank++;
    ranks[number - 1] = rank;
    sign = undefined;
  }
  const missing = ranks.flatMap((given, i) => (given === 0 ? [i + 1] : []));
  if (missing.length > 0) return `Every answer must be there; missing: ${missing.join(', ')}.`;
  return sign === undefined ? ranks : `${sign} stands between two numbers.`;
}

function shownTask({ prompt, answers }: RankingTask, order: readonly number[], count: string): string {
  const messages = prompt.map(({ role, content }) => `${role}: ${withoutControls(content)}`);
  const shown = order.map((k, place) => `[${place + 1}] ${answers[k].text === '' ? '(empty)' : withoutControls(answers[k].text)}`);
  return ['', `── ${count} ──`, ...messages, '', ...shown].join('\n');
}
