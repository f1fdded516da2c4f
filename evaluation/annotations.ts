import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError, writeError } from '../util/errors.js';
import { makeFolder } from '../util/files.js';

/** What a person did with a prompt. */
export type Annotation = { row: number } & (
  | {
      /** One a different answer, in the order of the table; 1 is the best, equal is a tie. */
      ranks: number[];
      /** From when the answers were shown to when they were ranked. */
      seconds: number;
      /** SHA-256 of the guideline that was in force; missing where there was none. */
      guideline?: string;
    }
  | { skipped: true }
  | { undone: true }
);

/** What still stands of the annotations: the last word on each row that is not undone, in the order in which they were said. */
export type Standing = Map<number, Extract<Annotation, { ranks: number[] } | { skipped: true }>>;

/**
 * A person's rankings as they are made, a JSON object a line, each written at once: work that was stopped at any moment goes on. The first line says
 * what they are of. The file stays beside the table, for it knows more: who was how quick, by which guideline, what was skipped.
 */
export class Annotations {
  readonly standing: Standing = new Map();

  private constructor(private readonly file: number) {}

  /** Where the annotations of a table lie: NAME.annotations.jsonl. */
  static pathOf(output: string): string {
    return `${output.replace(/\.arrow$/i, '')}.annotations.jsonl`;
  }

  /**
   * Opens the annotations of an output, and reads what is there.
   * @param subject what they are of: the same answers, shown in the same order, to the same annotator.
   * @throws UserError when those that are there are of something else.
   */
  static async open(output: string, subject: Readonly<Record<string, string | number>>): Promise<Annotations> {
    const path = Annotations.pathOf(output);
    await makeFolder(dirname(path));
    const text = await fs.readFile(path, 'utf8').catch(() => '');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1); // a line that was being written when the work was killed is none
    const [head, ...lines] = whole.split('\n').filter((line) => line !== '');
    const differing = head === undefined ? [] : differences(parse(path, head, 1), subject);
    if (differing.length > 0) {
      throw new UserError(
        `rank: ${path} must be of the same answers, seed and annotator; it has ${differing.join(', ')}. Go on with the command it was begun with, choose another output, or begin anew with --overwrite`,
      );
    }
    try {
      if (whole !== text) await fs.truncate(path, Buffer.byteLength(whole));
      const annotations = new Annotations(openSync(path, 'a'));
      if (head === undefined) annotations.write(subject);
      lines.forEach((line, i) => {
        annotations.apply(parse(path, line, i + 2) as Annotation);
      });
      return annotations;
    } catch (error) {
      throw writeError(path, error);
    }
  }

  add(annotation: Annotation): void {
    this.write(annotation);
    this.apply(annotation);
  }

  close(): void {
    fsyncSync(this.file);
    closeSync(this.file);
  }

  private apply(annotation: Annotation): void {
    this.standing.delete(annotation.row);
    if (!('undone' in annotation)) this.standing.set(annotation.row, annotation);
  }

  private write(line: object): void {
    writeSync(this.file, `${JSON.stringify(line)}\n`);
  }
}

function parse(path: string, line: string, number: number): object {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value;
  } catch {}
  throw new UserError(`rank: line ${number} of ${path} must be a JSON object; received ${line.slice(0, 80)}. Correct or remove the line`);
}

function differences(found: object, subject: Readonly<Record<string, string | number>>): string[] {
  const of = found as Record<string, unknown>;
  return Object.keys(subject).flatMap((key) => (of[key] === subject[key] ? [] : [`${key} ${of[key]} for ${subject[key]}`]));
}
