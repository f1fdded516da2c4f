import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { loadTokenizer, type Tokenizer } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { makeFolder, replaceDirectory, writeFileAtomic } from '../util/files.js';
import { lockFile } from '../util/lock.js';
import { openArrow } from './arrow.js';
import type { Place } from './encode-worker.js';
import { addShard, emptyPart, type PartSummary, type UnitShards } from './shards.js';

/** How far the work is: what progress.json holds. */
export interface Progress {
  /** Of everything that the shards' bytes depend on. */
  fingerprint: string;
  /** Where the next unit begins. */
  next: Place;
  train: PartSummary;
  eval: PartSummary;
}

/**
 * The hidden directory beside the output, in which it is made. What is finished stays there when the work is stopped, so that the same
 * command goes on; its `tokens` takes the output's place in the end.
 */
export class Preparation {
  readonly directory: string;
  /** What becomes the output. */
  readonly tokens: string;
  private readonly progressFile: string;
  private readonly tokenizerFile: string;

  private constructor(
    private readonly output: string,
    /** Gives back the lock. */
    private readonly unlock: () => Promise<void>,
  ) {
    this.directory = workingDirectory(output);
    this.tokens = path.join(this.directory, 'tokens');
    this.progressFile = path.join(this.directory, 'progress.json');
    this.tokenizerFile = path.join(this.directory, 'trained.json');
  }

  /** @throws UserError when another process prepares the same output. */
  static async open(output: string): Promise<Preparation> {
    await makeFolder(path.dirname(output));
    const file = `${workingDirectory(output)}.lock`;
    const unlock = await lockFile(
      file,
      (owner) =>
        new UserError(
          `prepare data: one process at a time may prepare ${output}; process ${owner} does. Wait for it or choose another output (if no such process is running, remove ${file})`,
        ),
    );
    return new Preparation(output, unlock);
  }

  /** The tokenizer that was trained for the same text and options before, or the one that `train` makes now. */
  async tokenizer(options: object, train: () => Promise<Tokenizer>): Promise<Tokenizer> {
    const key = digest(options);
    const kept = await readJson<{ key: string; tokenizer: object }>(this.tokenizerFile);
    if (kept?.key === key) return loadTokenizer(kept.tokenizer);
    const tokenizer = await train();
    await writeFileAtomic(this.tokenizerFile, JSON.stringify({ key, tokenizer }));
    return tokenizer;
  }

  /**
   * Where earlier work with the same inputs and options stopped, or the beginning. Files that are not finished are removed.
   * @param inputs everything that the shards' bytes depend on.
   */
  async begin(inputs: object, sources: readonly string[], say: (text: string) => void): Promise<Progress> {
    const fingerprint = digest(inputs);
    const kept = await readJson<Progress>(this.progressFile);
    if (kept?.fingerprint === fingerprint && (await this.isWhole(kept))) {
      const finished = new Set([...kept.train.shards, ...kept.eval.shards].map(({ file }) => file));
      for (const name of await fs.readdir(this.tokens))
        if (!finished.has(name)) await fs.rm(path.join(this.tokens, name), { recursive: true });
      return kept;
    }
    if (kept !== undefined) say('what an earlier command has finished was made of other text or with other options: starting anew');
    await fs.rm(this.progressFile, { force: true });
    await fs.rm(this.tokens, { recursive: true, force: true });
    await fs.mkdir(this.tokens, { recursive: true });
    return { fingerprint, next: { corpus: 0, document: 0 }, train: emptyPart(sources), eval: emptyPart(sources) };
  }

  /** Writes down that a unit is finished; its shards are on the disk. */
  async save(progress: Progress, shards: UnitShards, next: Place): Promise<void> {
    progress.next = next;
    if (shards.train) addShard(progress.train, shards.train);
    if (shards.eval) addShard(progress.eval, shards.eval);
    await writeFileAtomic(this.progressFile, JSON.stringify(progress));
  }

  /** Puts the tokens in the output's place. */
  async finish(): Promise<void> {
    await replaceDirectory(this.tokens, this.output);
    await this.discard();
  }

  /** Removes all that was made. */
  async discard(): Promise<void> {
    await fs.rm(this.directory, { recursive: true, force: true });
  }

  /** Whether there is something that a later command can go on from. */
  async isBegun(): Promise<boolean> {
    const found: string[] = await fs.readdir(this.directory).catch(() => []);
    return found.includes(path.basename(this.progressFile)) || found.includes(path.basename(this.tokenizerFile));
  }

  /** Gives the output back to others, and removes what is of no use to a later command. */
  async close(): Promise<void> {
    if (!(await this.isBegun())) await this.discard();
    await this.unlock();
  }

  private async isWhole({ train, eval: heldOut }: Progress): Promise<boolean> {
    for (const { file, batches } of [...train.shards, ...heldOut.shards]) {
      const arrow = await openArrow(path.join(this.tokens, file)).catch(() => undefined);
      await arrow?.close();
      if (arrow?.batches !== batches.length) return false;
    }
    return true;
  }
}

function workingDirectory(output: string): string {
  return path.join(path.dirname(output), `.${path.basename(output)}.preparing`);
}

/** Contents of a JSON file that is replaced as a whole; undefined when there is none. */
async function readJson<T>(file: string): Promise<T | undefined> {
  const text = await fs.readFile(file, 'utf8').catch(() => undefined);
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function digest(value: object): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
