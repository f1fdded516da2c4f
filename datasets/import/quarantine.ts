import fs from 'node:fs/promises';
import type { Rejected } from './found.js';

/** What was put aside, a JSON object a line: file, line or row, offset, reason, detail, excerpt. The file is there only if there is anything. */
export class Quarantine {
  count = 0;
  first: Rejected | undefined;
  readonly reasons: Record<string, number> = {};
  private file: fs.FileHandle | undefined;

  constructor(readonly path: string) {}

  async write(rows: readonly Rejected[]): Promise<void> {
    if (rows.length === 0) return;
    this.count += rows.length;
    this.first ??= rows[0];
    for (const { reason } of rows) this.reasons[reason] = (this.reasons[reason] ?? 0) + 1;
    this.file ??= await fs.open(this.path, 'w');
    await this.file.writeFile(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  }

  async close(): Promise<void> {
    const file = this.file;
    this.file = undefined;
    await file?.close();
  }
}
