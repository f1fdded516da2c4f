import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Answer } from '../datasets/generations.js';
import { UserError } from '../util/errors.js';
import { makeFolder, writeFileAtomic } from '../util/files.js';
import { lockFile } from '../util/lock.js';

/** A finished answer: which one it is of which row of the data. */
export interface Entry extends Answer {
  row: number;
  /** Its place among the answers to the prompt. */
  index: number;
}

/**
 * The answers that are finished, in a hidden folder beside the output, so that work that was stopped at any moment goes on: a file a window of
 * the data, a line an answer, in the order in which they were finished.
 */
export class AnswerJournal {
  readonly directory: string;
  private readonly fingerprintFile: string;

  private constructor(
    output: string,
    private readonly unlock: () => Promise<void>,
  ) {
    this.directory = workingDirectory(output);
    this.fingerprintFile = path.join(this.directory, 'fingerprint');
  }

  /** @throws UserError when another process writes the same output. */
  static async open(output: string): Promise<AnswerJournal> {
    await makeFolder(path.dirname(output));
    const file = `${workingDirectory(output)}.lock`;
    const unlock = await lockFile(
      file,
      (owner) =>
        new UserError(
          `generate: one process at a time may write ${output}; process ${owner} does. Wait for it or choose another output (if no such process is running, remove ${file})`,
        ),
    );
    return new AnswerJournal(output, unlock);
  }

  /**
   * How many answers earlier work with the same inputs has finished; what was finished with others is removed.
   * @param inputs everything that the answers depend on.
   */
  async begin(inputs: object): Promise<{ finished: number; anew: boolean }> {
    const fingerprint = createHash('sha256').update(JSON.stringify(inputs)).digest('hex');
    const kept = await fs.readFile(this.fingerprintFile, 'utf8').catch(() => undefined);
    if (kept !== fingerprint) {
      await this.discard();
      await writeFileAtomic(this.fingerprintFile, fingerprint);
      return { finished: 0, anew: kept !== undefined };
    }
    let finished = 0;
    for (const name of await fs.readdir(this.directory)) {
      if (name.endsWith('.jsonl')) finished += entriesIn(await fs.readFile(path.join(this.directory, name), 'utf8')).length;
    }
    return { finished, anew: false };
  }

  /** What is finished of a window. A line that was being written when the work was killed is taken away. */
  async read(window: number): Promise<Entry[]> {
    const file = this.windowFile(window);
    const text = await fs.readFile(file, 'utf8').catch(() => '');
    const entries = entriesIn(text);
    const whole = entries.map(lineOf).join('');
    if (whole !== text) await writeFileAtomic(file, whole);
    return entries;
  }

  /** Writes answers of a window down, each at once: it stays when the process is killed. */
  append(window: number): { write(entry: Entry): void; close(): void } {
    const file = openSync(this.windowFile(window), 'a');
    return {
      write: (entry) => {
        writeSync(file, lineOf(entry));
      },
      close() {
        fsyncSync(file);
        closeSync(file);
      },
    };
  }

  /** Removes all that was finished. */
  async discard(): Promise<void> {
    await fs.rm(this.directory, { recursive: true, force: true });
  }

  /** Gives the output back to others. */
  async close(): Promise<void> {
    await this.unlock();
  }

  private windowFile(window: number): string {
    return path.join(this.directory, `answers-${String(window).padStart(5, '0')}.jsonl`);
  }
}

function workingDirectory(output: string): string {
  return path.join(path.dirname(output), `.${path.basename(output)}.generating`);
}

const lineOf = (entry: Entry) => `${JSON.stringify(entry)}\n`;

/** The whole lines. */
function entriesIn(text: string): Entry[] {
  return text.split('\n').flatMap((line, i, lines): Entry[] => {
    if (line === '' || i === lines.length - 1) return [];
    try {
      return [JSON.parse(line) as Entry];
    } catch {
      return [];
    }
  });
}
