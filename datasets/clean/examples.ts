import { mix } from '../../util/hashing.js';

/** A document that a rule dropped or changed. */
export interface Example {
  /** Where it is: the corpus, and its row there, from 0. */
  corpus: string;
  row: number;
  source: string;
  /** Why, in numbers. */
  reason: string;
  /** The beginning of the text; of a changed one what is around the first change. */
  text: string;
  /** The same after the change. */
  after?: string;
  /** The document that stays, where one goes because it is like it. */
  like?: { corpus: string; row: number; text: string };
}

/** An example with the number of its document instead of its place. */
export type NumberedExample = Omit<Example, 'corpus' | 'row' | 'like'> & { document: number };

/** How many documents a rule is shown with. */
export const EXAMPLES = 20;

/** A number by which documents are chosen as examples: those with the smallest are spread over the corpus, and the same for any number of threads. */
export function lot(document: number): number {
  return mix(document ^ 0x5bd1e995) >>> 0;
}

/** The documents with the smallest lots among those that are offered. */
export class Sample<T extends { document: number }> {
  private readonly chosen: T[] = [];

  /** Whether a document would be chosen now. */
  wants(document: number): boolean {
    return this.chosen.length < EXAMPLES || lot(document) < lot(this.chosen.at(-1)!.document);
  }

  add(example: T): void {
    if (!this.wants(example.document)) return;
    const rank = lot(example.document);
    let place = this.chosen.length;
    while (place > 0 && lot(this.chosen[place - 1].document) > rank) place--;
    this.chosen.splice(place, 0, example);
    if (this.chosen.length > EXAMPLES) this.chosen.pop();
  }

  /** In the order of the documents. */
  get examples(): T[] {
    return this.chosen.toSorted((a, b) => a.document - b.document);
  }
}

const CHARACTERS = 200;

/** About 200 characters of a text from byte `from` on, without half a character at either end. */
export function excerpt(bytes: Uint8Array, from = 0): string {
  while (from > 0 && (bytes[from] & 0xc0) === 0x80) from--;
  let to = from;
  for (let characters = 0; to < bytes.length; to++) if ((bytes[to] & 0xc0) !== 0x80 && characters++ === CHARACTERS) break;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8', from, to);
  return `${from > 0 ? '…' : ''}${text}${to < bytes.length ? '…' : ''}`;
}

/** The texts around the place where a change begins. */
export function excerptsOfChange(before: Uint8Array, after: Uint8Array, at: number): { text: string; after: string } {
  let from = Math.max(0, at - 60);
  while (from > 0 && (before[from] & 0xc0) === 0x80) from--;
  return { text: excerpt(before, from), after: excerpt(after, Math.min(from, after.length)) };
}
