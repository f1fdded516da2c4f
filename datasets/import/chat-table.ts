import { ArrowFile, type Metadata } from '../arrow.js';
import { conversationsBatch, conversationsSchema, promptsBatch, promptsSchema } from '../conversations.js';
import type { Chat, Chats } from './chats.js';
import { BATCH_BYTES, BATCH_ROWS, type TableWriter, tally } from './tables.js';

/** The first weight came after the first record batch was written without: the table must be begun anew, with weights. */
export class LateWeight extends Error {}

export interface ChatTableOptions {
  kind: 'conversations' | 'prompts';
  /** With a column of weights, whether or not a row has one. */
  weighted: boolean;
}

/** Writes the conversations or prompts that are found. */
export class ChatTable implements TableWriter {
  rows = 0;
  bytes = 0;
  /** Questions, in all rows. */
  turns = 0;
  readonly sources: Record<string, number> = {};
  private file: ArrowFile | undefined;
  private weighted = false;

  constructor(
    private readonly path: string,
    private readonly metadata: Metadata,
    private readonly chats: Chats,
    private readonly options: ChatTableOptions,
  ) {}

  async flush(all = false): Promise<void> {
    if (!all && this.chats.size < BATCH_BYTES && this.chats.length < BATCH_ROWS) return;
    this.bytes += this.chats.size;
    const rows = this.chats.take();
    const hasWeights = rows.some(({ weight }) => weight !== undefined);
    if (this.file === undefined) {
      this.weighted = hasWeights || this.options.weighted;
      this.file = new ArrowFile(this.path, this.schema());
    } else if (hasWeights && !this.weighted) throw new LateWeight();
    this.rows += rows.length;
    for (const { messages } of rows) this.turns += messages.filter(({ role }) => role === 'user').length;
    tally(rows.map(({ source }) => source), this.sources); // biome-ignore format: short
    for (let from = 0; from < rows.length; from += BATCH_ROWS) await this.write(this.file, rows.slice(from, from + BATCH_ROWS));
  }

  async close(): Promise<void> {
    await this.file?.close();
  }

  async abandon(): Promise<void> {
    await this.file?.abandon();
  }

  private schema() {
    const { metadata, weighted } = this;
    return this.options.kind === 'conversations' ? conversationsSchema(metadata, { weighted }) : promptsSchema(metadata);
  }

  private write(file: ArrowFile, rows: readonly Chat[]): Promise<void> {
    const { schema } = file;
    if (this.options.kind === 'conversations') return file.write(conversationsBatch(schema, rows));
    return file.write(promptsBatch(schema, rows.map(({ messages, reference, source }) => ({ prompt: messages, reference, source })))); // biome-ignore format: short
  }
}
