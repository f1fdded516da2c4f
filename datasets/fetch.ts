import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parse } from 'yaml';
import { closest } from '../configs/suggest.js';
import { UserError } from '../util/errors.js';
import { exists, makeFolder, sha256File } from '../util/files.js';
import { packageRoot } from '../util/package-root.js';

/** A public data set, as sources.yaml describes it. */
export interface Source {
  about: string;
  /** Name of the file here, and in the folder or at the address that `from` names. */
  file: string;
  format: 'text' | 'jsonl' | 'json';
  licence: string;
  url: string;
  sha256: string;
}

export interface FetchOptions {
  /** A folder, or the address of one, that holds the file; in place of the source's own address. */
  from?: string;
  /** Folder to bring the file to. */
  directory?: string;
  /** Another table than the project's own. */
  sources?: ReadonlyMap<string, Source>;
}

export interface FetchResult {
  path: string;
  source: Source;
  /** It was there already, whole. */
  present: boolean;
}

/** The table of public data sets, by name. */
export async function listSources(): Promise<Map<string, Source>> {
  const yaml = await fs.readFile(path.join(packageRoot(), 'datasets', 'sources.yaml'), 'utf8');
  return new Map(Object.entries(parse(yaml) as Record<string, Source>));
}

/** Brings a public data set; the file takes its place only when its checksum is right. */
export async function fetchSource(name: string, options: FetchOptions = {}): Promise<FetchResult> {
  const sources = options.sources ?? (await listSources());
  const source = sources.get(name);
  if (source === undefined) {
    const near = closest(name, sources.keys());
    throw new UserError(
      `data fetch: the name must be one of ${[...sources.keys()].join(', ')}; received ${name}${near === undefined ? '' : `. Did you mean ${near}?`}`,
    );
  }
  const directory = options.directory ?? 'data';
  const target = path.join(directory, source.file);
  if ((await exists(target)) && (await sha256File(target)) === source.sha256) return { path: target, source, present: true };
  await makeFolder(directory);
  const temporary = path.join(directory, `.${source.file}.tmp-${process.pid}`);
  const origin = originOf(source, options.from);
  try {
    const hash = await copy(origin, temporary);
    if (hash !== source.sha256) {
      throw new UserError(
        `data fetch: ${origin} must have the SHA-256 ${source.sha256}; received ${hash}. It is damaged or another version: try again, or give a good copy with --from DIR|URL`,
      );
    }
    await fs.rename(temporary, target);
  } finally {
    await fs.rm(temporary, { force: true });
  }
  return { path: target, source, present: false };
}

const isAddress = (text: string) => /^https?:\/\//.test(text);

function originOf(source: Source, from: string | undefined): string {
  if (from === undefined) return source.url;
  return isAddress(from) ? `${from.replace(/\/+$/, '')}/${source.file}` : path.join(from, source.file);
}

/** Copies from a file or an address, and gives the SHA-256 of what came. */
async function copy(origin: string, target: string): Promise<string> {
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(isAddress(origin) ? await download(origin) : createReadStream(origin), hashing, createWriteStream(target));
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(
      `data fetch: ${origin} must be within reach; reading it failed (${reasonOf(cause)}). Give a folder or address that has the file with --from DIR|URL`,
      1,
      {
        cause,
      },
    );
  }
  return hash.digest('hex');
}

async function download(url: string): Promise<Readable> {
  const response = await fetch(url);
  if (!response.ok || response.body === null) {
    throw new UserError(
      `data fetch: ${url} must answer with the file; received status ${response.status}. Give another place with --from DIR|URL`,
    );
  }
  return Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
}

/** The innermost cause: `fetch failed` alone says nothing. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
