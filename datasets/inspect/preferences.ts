import { createHash } from 'node:crypto';
import type { RecordBatch } from 'apache-arrow';
import type { Tokenizer } from '../../tokenizer/index.js';
import { type Agreement, agreement, type Rating } from '../agreement.js';
import { comparable, type Preference, pairCounts, preferencesIn } from '../preferences.js';
import { cutMessage, messagesOf } from './chat-rows.js';
import { charactersOf } from './chats.js';
import { OTHER_SOURCES } from './counts.js';
import { countLength, type LengthCounts, noLengths } from './lengths.js';
import type { Row, RowLimits } from './rows.js';

/** Rankings of one source. Lengths are those of the better and of the worse answer of every comparison. */
export interface PreferenceCounts {
  name: string;
  rows: number;
  answers: number;
  /** Pairs of answers of different and of equal ranks. */
  comparisons: number;
  ties: number;
  /** Rows whose answers all have the same rank. */
  withoutComparison: number;
  /** Sums over all comparisons. */
  better: number;
  worse: number;
  /** Comparisons whose better answer is the longer one, and those of two equally long. */
  betterIsLonger: number;
  equallyLong: number;
}

/** What is to be said of preferences. */
export interface PreferenceFacts {
  lengthsIn: 'characters' | 'tokens';
  total: PreferenceCounts;
  sources: PreferenceCounts[];
  /** How many rows have so many answers, from the fewest. */
  byAnswers: { answers: number; rows: number }[];
  /** Of every comparison. */
  better: LengthCounts;
  worse: LengthCounts;
  /** Those with the most rows first; rows without one are not counted. */
  annotators: { name: string; rows: number }[];
  /** Where several annotators ranked the same answers. */
  agreement?: Agreement;
}

const MAX_SOURCES = 1000;

/** Counts rankings. What annotators are compared by is kept: some 200 bytes for each row that has one. */
export class PreferenceCounter {
  private readonly sources = new Map<string, PreferenceCounts>();
  private readonly byAnswers = new Map<number, number>();
  private readonly annotators = new Map<string, number>();
  private readonly ratings: Rating[] = [];
  private readonly better = noLengths();
  private readonly worse = noLengths();
  private rows = 0;

  /** @param tokenizer lengths are in its tokens; without one in characters (code points). */
  constructor(private readonly tokenizer?: Tokenizer) {}

  /** @param first the batch's first row in the file. */
  addBatch(path: string, batch: RecordBatch, first: number): void {
    const preferenceOf = preferencesIn(path, batch, first);
    for (let i = 0; i < batch.numRows; i++) this.add(preferenceOf(i));
  }

  add(row: Preference): void {
    const { responses, ranks, annotator } = row;
    const counts = this.of(row.source);
    const { comparisons, ties } = pairCounts(ranks);
    counts.rows++;
    counts.answers += responses.length;
    counts.comparisons += comparisons;
    counts.ties += ties;
    if (!comparable(row)) counts.withoutComparison++;
    this.byAnswers.set(responses.length, (this.byAnswers.get(responses.length) ?? 0) + 1);
    this.compareLengths(counts, ranks, responses.map((text) => this.lengthOf(text))); // biome-ignore format: short
    if (annotator !== undefined) {
      this.annotators.set(annotator, (this.annotators.get(annotator) ?? 0) + 1);
      this.ratings.push(ratingOf(row, annotator, this.rows));
    }
    this.rows++;
  }

  facts(): PreferenceFacts {
    const sources = [...this.sources.values()];
    const total = noCounts('all');
    for (const source of sources) for (const key of COUNTED) total[key] += source[key];
    return {
      lengthsIn: this.tokenizer ? 'tokens' : 'characters',
      total,
      sources,
      byAnswers: [...this.byAnswers].map(([answers, rows]) => ({ answers, rows })).sort((a, b) => a.answers - b.answers),
      better: this.better,
      worse: this.worse,
      annotators: [...this.annotators].map(([name, rows]) => ({ name, rows })).sort((a, b) => b.rows - a.rows),
      agreement: agreement(this.ratings),
    };
  }

  private lengthOf(text: string): number {
    return this.tokenizer ? this.tokenizer.encode(text).length : charactersOf(text);
  }

  private compareLengths(counts: PreferenceCounts, ranks: readonly number[], lengths: readonly number[]): void {
    for (const [i, rank] of ranks.entries()) {
      for (const [j, other] of ranks.entries()) {
        if (rank >= other) continue;
        counts.better += lengths[i];
        counts.worse += lengths[j];
        countLength(this.better, lengths[i]);
        countLength(this.worse, lengths[j]);
        if (lengths[i] > lengths[j]) counts.betterIsLonger++;
        else if (lengths[i] === lengths[j]) counts.equallyLong++;
      }
    }
  }

  private of(source: string): PreferenceCounts {
    const name = this.sources.has(source) || this.sources.size < MAX_SOURCES ? source : OTHER_SOURCES;
    const counts = this.sources.get(name) ?? noCounts(name);
    this.sources.set(name, counts);
    return counts;
  }
}

const COUNTED = [
  ...(['rows', 'answers', 'comparisons', 'ties', 'withoutComparison'] as const),
  ...(['better', 'worse', 'betterIsLonger', 'equallyLong'] as const),
];

function noCounts(name: string): PreferenceCounts {
  const lengths = { better: 0, worse: 0, betterIsLonger: 0, equallyLong: 0 };
  return { name, rows: 0, answers: 0, comparisons: 0, ties: 0, withoutComparison: 0, ...lengths };
}

/** The ranks in the order of the responses' texts, so that it does not matter in which order an annotator saw them. */
function ratingOf({ prompt, responses, ranks }: Preference, annotator: string, row: number): Rating {
  const order = responses.map((_, i) => i).sort((a, b) => (responses[a] < responses[b] ? -1 : Number(responses[a] > responses[b])));
  const said = prompt.map(({ role, content }) => [role, content]);
  const item = createHash('sha256')
    .update(JSON.stringify([said, order.map((i) => responses[i])]))
    .digest('base64');
  return { item, row, annotator, ranks: order.map((i) => ranks[i]) };
}

/** Row `i` of a batch of preferences, which is row `row` of all. */
export function readPreferenceRow(path: string, batch: RecordBatch, i: number, row: number, limits: RowLimits): Row {
  const { prompt, responses, ranks, source, margins, scores, annotator } = preferencesIn(path, batch, row - i)(i);
  const { bytes = 0, ...shown } = messagesOf(prompt, limits);
  const order = responses.map((_, k) => k).sort((a, b) => ranks[a] - ranks[b] || a - b);
  const label = (k: number) =>
    [`rank ${ranks[k]}`, scores && `score ${short(scores[k])}`, margins && `margin ${short(margins[k])}`].filter(Boolean).join(', ');
  return {
    ...{ row, source, bytes: responses.reduce((sum, text) => sum + Buffer.byteLength(text), bytes), ...shown },
    answers: order.map((k) => cutMessage(label(k), responses[k], limits)),
    ...(annotator === undefined ? {} : { annotator }),
  };
}

const short = (value: number) => Number(value.toPrecision(4));
