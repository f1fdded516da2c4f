import { readBatches } from '../../datasets/arrow.js';
import { CorpusWriter } from '../../datasets/clean/corpus-writer.js';
import { Document } from '../../datasets/clean/document.js';
import type { DocumentRule, Value } from '../../datasets/clean/rule.js';

/** What a rule with its default values, or those given, makes of a text: nothing, a reason, or the text changed. */
export function applied(
  rule: DocumentRule,
  text: string,
  values: Record<string, Value> = {},
): string | { text: string; reason: string } | undefined {
  const defaults = Object.entries(rule.parameters).map(([key, parameter]) => [key, parameter.default]);
  const outcome = rule.start({ ...Object.fromEntries(defaults), ...values }, undefined)(Document.of(text));
  return typeof outcome === 'object' ? { text: Buffer.from(outcome.bytes).toString(), reason: outcome.reason } : outcome;
}

/** Writes a corpus of texts, in several record batches. */
export async function writeCorpus(
  file: string,
  texts: readonly string[],
  sourceOf: (i: number) => string = () => 'test',
  metadata = {},
): Promise<string> {
  const writer = new CorpusWriter(file, new Map(Object.entries({ importer: 'text', source_sha256: 'abc', ...metadata })));
  for (const [i, text] of texts.entries()) {
    const bytes = new Uint8Array(Buffer.from(text));
    await writer.add({ text: bytes, offsets: Int32Array.of(0, bytes.length), sources: [sourceOf(i)], sourceOf: new Uint32Array(1) });
  }
  await writer.close();
  return file;
}

export async function readCorpus(file: string): Promise<{ text: string; source: string }[]> {
  const rows: { text: string; source: string }[] = [];
  for await (const batch of readBatches(file)) for (const row of batch) rows.push({ text: row.text, source: row.source });
  return rows;
}

/** So many words that a text cannot be repetitive with: w0 w1 … */
export function words(n: number, from = 0): string {
  return Array.from({ length: n }, (_, i) => `w${'abcdefghij'[i % 10]}${from + i}`).join(' ');
}
