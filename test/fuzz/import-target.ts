import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { chunkLength, readChunks } from '../../datasets/chunks.js';
import { importCorpus } from '../../datasets/import.js';
import { mutateValue } from './mutate.js';
import type { OpenTarget } from './target.js';

const ROWS = [
  { text: 'The first text.', id: 1 },
  { text: 'Ünïcödé 中文 🙂 \u2028', tags: ['a', 'b'], meta: { deep: { er: [1.5e-3, null, true] } } },
  { id: 3, text: 'quotes " \\ and\nline ends\r\n' },
  { text: '', title: 'empty' },
  { text: 'the last' },
];

const jsonl = (rows: readonly unknown[]) => Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
const json = (rows: unknown) => Buffer.from(JSON.stringify(rows, null, 1));

/** Rows of JSON: imported into a corpus that is read again. */
function rowsTarget(name: string, write: (rows: readonly unknown[]) => Buffer): OpenTarget {
  return async (folder) => {
    const output = path.join(folder, 'out', 'corpus.arrow');
    const file = path.join(folder, name);
    return {
      seeds: [write(ROWS), write([]), write(ROWS.slice(2, 3))],
      mutate(random) {
        const rows = mutateValue(random, ROWS);
        return Array.isArray(rows) ? write(rows) : json(rows);
      },
      async run(input) {
        await fs.writeFile(file, input);
        await fs.rm(path.dirname(output), { recursive: true, force: true });
        try {
          const summary = await importCorpus({ paths: [file], output });
          assert.ok(summary.documents > 0);
          let documents = 0;
          for await (const chunk of readChunks(output)) documents += chunkLength(chunk);
          assert.equal(documents, summary.documents);
        } finally {
          const left = (await fs.readdir(path.dirname(output)).catch(() => [])).filter((entry) => entry.startsWith('.'));
          assert.deepEqual(left, [], 'temporary files are left');
        }
      },
    };
  };
}

export const jsonlTarget = rowsTarget('rows.jsonl', jsonl);
export const jsonTarget = rowsTarget('rows.json', json);
