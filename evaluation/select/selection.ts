import { BitSet } from '../../datasets/clean/bit-set.js';
import { type Conversation, readConversations } from '../../datasets/conversations.js';
import { UserError } from '../../util/errors.js';
import type { Row } from './strategy.js';

/** A table, and which of its conversations are left. */
export class Selection {
  private readonly gone = new BitSet();
  private readonly names: string[] = [];
  /** Of each row, the index of its source. */
  private readonly sourceIndex: number[] = [];
  /** Whether the table says what conversations count. */
  weighted = false;

  private constructor(private readonly table: string) {}

  /** @throws UserError when there are no conversations. */
  static async of(table: string): Promise<Selection> {
    const selection = new Selection(table);
    for await (const rows of readConversations(table)) {
      for (const { source, weight } of rows) {
        const known = selection.names.indexOf(source);
        selection.sourceIndex.push(known < 0 ? selection.names.push(source) - 1 : known);
        selection.weighted ||= weight !== undefined;
      }
    }
    if (selection.size > 0) return selection;
    throw new UserError(`select: ${table} must have conversations; it has none. Make a table with fourfold data import`);
  }

  get size(): number {
    return this.sourceIndex.length;
  }

  /** Rows that are left. */
  get left(): number[] {
    return Array.from(this.sourceIndex.keys()).filter((row) => !this.gone.has(row));
  }

  readonly sourceOf = (row: number) => this.names[this.sourceIndex[row]];

  drop(rows: Iterable<number>): void {
    for (const row of rows) this.gone.add(row);
  }

  isLeft(row: number): boolean {
    return !this.gone.has(row);
  }

  /** How many conversations of each source there were and are left. */
  sources(): { source: string; before: number; after: number }[] {
    const counts = this.names.map((source) => ({ source, before: 0, after: 0 }));
    this.sourceIndex.forEach((index, row) => {
      counts[index].before++;
      counts[index].after += Number(this.isLeft(row));
    });
    return counts;
  }

  /** See `Rows`. */
  readonly rows = () => this.leftRows();

  private async *leftRows(): AsyncGenerator<Row> {
    for await (const batch of this.batches()) for (const row of batch) if (this.isLeft(row.row)) yield row;
  }

  /** All rows, a record batch at a time. */
  async *batches(): AsyncGenerator<(Conversation & Row)[]> {
    let first = 0;
    for await (const rows of readConversations(this.table)) {
      const base = first;
      yield rows.map((row, i) => ({ ...row, row: base + i }));
      first += rows.length;
      await new Promise(setImmediate); // signals arrive
    }
  }
}
