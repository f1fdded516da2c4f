import { createHash } from 'node:crypto';
import type { Metadata } from './arrow.js';

/** Where the texts of some corpora come from, as their files say. */
export interface Origin {
  /** The importers of the corpora. */
  importer: string;
  /** Of what was imported: of one corpus its own, of several that of the list of them. */
  sourceSha256: string;
}

export function originOf(corpora: readonly Metadata[]): Origin {
  const all = (key: string) => corpora.map((metadata) => metadata.get(key) ?? 'unknown');
  const hashes = all('source_sha256');
  return {
    importer: [...new Set(all('importer'))].join(', '),
    sourceSha256: hashes.length === 1 ? hashes[0] : createHash('sha256').update(hashes.join('\n')).digest('hex'),
  };
}
