import fs from 'node:fs/promises';
import { AsyncByteQueue, type RecordBatch, RecordBatchFileWriter, type Schema } from 'apache-arrow';
import { writeError } from '../util/errors.js';

/** What Arrow's writer gave out and is not in the file yet. */
class Pieces extends AsyncByteQueue {
  private pieces: Uint8Array[] = [];

  override write(piece: ArrayBufferView): void {
    if (piece.byteLength > 0) this.pieces.push(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
  }

  take(): Uint8Array[] {
    const taken = this.pieces;
    this.pieces = [];
    return taken;
  }
}

/** Writes an Arrow IPC file record batch by record batch. A full disk and the like are a UserError of the call that meets them. */
export class ArrowFile {
  private readonly writer = new RecordBatchFileWriter();
  private readonly pieces = new Pieces();
  private file: fs.FileHandle | undefined;

  constructor(
    private readonly path: string,
    readonly schema: Schema,
  ) {
    this.writer.reset(this.pieces, schema);
  }

  /** Done when the batch is in the file, so that a slow disk holds up who makes them. */
  async write(batch: RecordBatch): Promise<void> {
    this.writer.write(batch);
    await this.flush();
    await new Promise(setImmediate); // signals arrive
  }

  async close(): Promise<void> {
    try {
      this.writer.finish();
      await this.flush();
    } finally {
      await this.abandon();
    }
  }

  /** Closes the file as it is, after an error. */
  async abandon(): Promise<void> {
    const file = this.file;
    this.file = undefined;
    await file?.close();
  }

  private async flush(): Promise<void> {
    try {
      this.file ??= await fs.open(this.path, 'w');
      for (const piece of this.pieces.take()) await this.file.writeFile(piece);
    } catch (error) {
      throw writeError(this.path, error);
    }
  }
}
