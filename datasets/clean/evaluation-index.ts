import path from 'node:path';
import { UserError } from '../../util/errors.js';
import { sha256File } from '../../util/files.js';
import { mix, powerOfTwo } from '../../util/hashing.js';
import { evaluationTexts } from './evaluation-texts.js';
import { Words } from './words.js';

/** The n-grams of evaluation sets; the table is shared between threads, not copied. */
export interface EvaluationIndex {
  files: { file: string; sha256: string }[];
  /** Weight of an n-gram: three a word, two a Chinese character. */
  weight: number;
  /** Numbers of terms of the texts that are shorter than an n-gram, ascending. */
  lengths: number[];
  /** Two hashes, file and row of each n-gram, to be looked for from the place of the first hash on; row 0 = free. */
  table: Int32Array;
}

const STRIDE = 4;

/**
 * Reads evaluation sets: of .jsonl, .json and .arrow every text in a row, however deep; of other files what blank lines part.
 * @param words    in an n-gram.
 * @param minWords of a text that is shorter than an n-gram and looked for as a whole.
 * @throws UserError when a file cannot be read, is not JSON, or holds nothing that is long enough.
 */
export async function readEvaluationSets(files: readonly string[], words: number, minWords: number): Promise<EvaluationIndex> {
  const weight = 3 * words;
  const gathered: number[] = [];
  const lengths = new Set<number>();
  const scanned = new Words();
  const hasher = new GramHasher();
  for (const [number, file] of files.entries()) {
    const before = gathered.length;
    for await (const { row, text } of evaluationTexts(file)) {
      hasher.load(scanned.scan(Buffer.from(text, 'utf8')));
      const gather = (from: number, to: number) => {
        gathered.push(hasher.first(from, to), hasher.second(from, to), number, row);
        return false;
      };
      const start = gathered.length;
      eachWindow(scanned, weight, gather);
      if (gathered.length > start || weightOf(scanned) < 3 * minWords) continue;
      gather(0, scanned.terms);
      lengths.add(scanned.terms);
    }
    if (gathered.length === before) {
      throw new UserError(
        `clean: --against must name evaluation sets with texts of ${minWords} words or more; ${file} holds none. Leave it out, or lower decontaminate.min_words`,
      );
    }
  }
  const table = new Int32Array(new SharedArrayBuffer(4 * STRIDE * powerOfTwo((2 * gathered.length) / STRIDE)));
  for (let i = 0; i < gathered.length; i += STRIDE) {
    const place = placeOf(table, gathered[i], gathered[i + 1]);
    if (table[place + 3] === 0) table.set(gathered.slice(i, i + STRIDE), place); // else an earlier text has it, too
  }
  const hashes = await Promise.all(files.map(sha256File));
  return {
    files: files.map((file, i) => ({ file: path.basename(file), sha256: hashes[i] })),
    weight,
    lengths: [...lengths].sort((x, y) => x - y),
    table,
  };
}

export interface SharedGram {
  /** Terms of the document. */
  from: number;
  to: number;
  file: string;
  /** Line of a .jsonl, element of a .json, row of an .arrow, paragraph of a text, from 1. */
  row: number;
}

/** Gives a function that finds the first n-gram of a document that is in the index. */
export function findShared({ files, weight, lengths, table }: EvaluationIndex): (words: Words) => SharedGram | undefined {
  const hasher = new GramHasher();
  return (words) => {
    hasher.load(words);
    let shared: SharedGram | undefined;
    const look = (from: number, to: number) => {
      const place = placeOf(table, hasher.first(from, to), hasher.second(from, to));
      if (table[place + 3] === 0) return false;
      shared = { from, to, file: files[table[place + 2]].file, row: table[place + 3] };
      return true;
    };
    eachWindow(words, weight, look);
    for (const length of lengths) {
      for (let from = 0; shared === undefined && from + length <= words.terms; from++) look(from, from + length);
    }
    return shared;
  };
}

/** Where an n-gram is in the table, or the free place where it would be. */
function placeOf(table: Int32Array, first: number, second: number): number {
  const mask = table.length - 1;
  let place = (first * STRIDE) & mask;
  while (table[place + 3] !== 0 && (table[place] !== first || table[place + 1] !== second)) place = (place + STRIDE) & mask;
  return place;
}

/** The shortest run of terms from each term on that weighs `weight`; `visit` says whether to stop. */
function eachWindow({ terms, weight: weights }: Words, weight: number, visit: (from: number, to: number) => boolean): void {
  let sum = 0;
  let to = 0;
  for (let from = 0; from < terms; from++) {
    while (sum < weight && to < terms) sum += weights[to++];
    if (sum < weight || visit(from, to)) return;
    sum -= weights[from];
  }
}

function weightOf({ terms, weight }: Words): number {
  let sum = 0;
  for (let i = 0; i < terms; i++) sum += weight[i];
  return sum;
}

const [A, B] = [0x2c1b3c6d, 0x297a2d39];

/** Two hashes of any run of terms, from polynomials over all terms before each. */
class GramHasher {
  private a = new Int32Array(0);
  private b = new Int32Array(0);
  private powersOfA = new Int32Array(0);
  private powersOfB = new Int32Array(0);

  load({ terms, hash }: Words): void {
    if (this.a.length <= terms) {
      [this.a, this.b] = [new Int32Array(2 * terms + 2), new Int32Array(2 * terms + 2)];
      [this.powersOfA, this.powersOfB] = [powers(A, 2 * terms + 2), powers(B, 2 * terms + 2)];
    }
    const { a, b } = this;
    for (let i = 0; i < terms; i++) {
      a[i + 1] = Math.imul(a[i], A) + hash[i];
      b[i + 1] = Math.imul(b[i], B) + mix(hash[i] ^ B);
    }
  }

  first(from: number, to: number): number {
    return mix(this.a[to] - Math.imul(this.a[from], this.powersOfA[to - from]));
  }

  second(from: number, to: number): number {
    return mix(this.b[to] - Math.imul(this.b[from], this.powersOfB[to - from]));
  }
}

function powers(factor: number, count: number): Int32Array<ArrayBuffer> {
  const result = new Int32Array(count).fill(1);
  for (let i = 1; i < count; i++) result[i] = Math.imul(result[i - 1], factor);
  return result;
}
