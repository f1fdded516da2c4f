/** metrics.jsonl and its like: one JSON object a line, each line on disk before the next step; and the same numbers for TensorBoard. */
import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { exists, writeFileAtomic } from '../util/files.js';
import { TensorBoardWriter } from './tensorboard.js';

/** Names and values of one step. What is not finite becomes null in JSON. */
export type StepRecord = { step: number } & Readonly<Record<string, unknown>>;

export class JsonLinesWriter {
  private constructor(private readonly file: number) {}

  /** Opens a file to append to; lines of steps after `keepThrough` and a torn last line are cut off first (-1: all). */
  static async open(path: string, keepThrough: number): Promise<JsonLinesWriter> {
    mkdirSync(dirname(path), { recursive: true });
    if (await exists(path)) await writeFileAtomic(path, cutBack(await fs.readFile(path), keepThrough));
    return new JsonLinesWriter(openSync(path, 'a'));
  }

  /** Appends one line; it survives the process from here on. */
  write(record: StepRecord): void {
    writeSync(this.file, `${JSON.stringify(record)}\n`);
  }

  close(): void {
    fsyncSync(this.file);
    closeSync(this.file);
  }
}

/** The lines whose step is at most `last`, from a file of JSON lines. */
function cutBack(file: Buffer, last: number): Buffer {
  const kept: Buffer[] = [];
  for (let start = 0, end = file.indexOf('\n'); end >= 0; start = end + 1, end = file.indexOf('\n', start)) {
    const step = stepOfLine(file.toString('utf8', start, end));
    if (step !== undefined && step <= last) kept.push(file.subarray(start, end + 1));
  }
  return Buffer.concat(kept);
}

function stepOfLine(line: string): number | undefined {
  try {
    const { step } = JSON.parse(line) as { step?: unknown };
    return typeof step === 'number' ? step : undefined;
  } catch {
    return undefined;
  }
}

/** A run's metrics: the same values to JSON lines and to TensorBoard. */
export class MetricsWriter {
  private constructor(
    private readonly lines: JsonLinesWriter,
    private readonly events: TensorBoardWriter,
  ) {}

  static async open(linesPath: string, eventsPath: string, keepThrough: number): Promise<MetricsWriter> {
    return new MetricsWriter(await JsonLinesWriter.open(linesPath, keepThrough), await TensorBoardWriter.open(eventsPath, keepThrough));
  }

  /** One line; its numbers, but for the step, are TensorBoard's scalars. */
  write(record: StepRecord): void {
    this.lines.write(record);
    const numbers = Object.entries(record).filter(
      (entry): entry is [string, number] => entry[0] !== 'step' && typeof entry[1] === 'number',
    );
    this.events.write(record.step, Object.fromEntries(numbers));
  }

  close(): void {
    this.lines.close();
    this.events.close();
  }
}
