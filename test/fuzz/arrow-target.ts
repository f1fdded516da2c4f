import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { ArrowFile, corpusBatch, corpusSchema, readBatches } from '../../datasets/arrow.js';
import { chunkLength, chunkText, readChunks } from '../../datasets/chunks.js';
import { openLoader } from '../../datasets/loader.js';
import { openPass } from '../../datasets/pass.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { preparedDocument, writePrepared } from '../datasets/prepared.js';
import { mutateValue } from './mutate.js';
import { fixture, type OpenTarget, type Target } from './target.js';

const TEXTS = ['The first text.', '', 'Ünïcödé 中文 🙂', 'a\r\nb\0c', 'x'.repeat(700), 'the last'];

/** A corpus, and other tables: rows as what prepares data reads them, and each value. */
export const corpusTarget: OpenTarget = async (folder) => {
  const own = path.join(folder, 'own.arrow');
  const schema = corpusSchema(new Map([['importer', 'fuzz']]));
  const file = new ArrowFile(own, schema);
  for (let batch = 0; batch < 3; batch++) {
    await file.write(corpusBatch(schema, TEXTS.slice(batch), TEXTS.slice(batch).map((_, i) => `source ${i % 2}`))); // biome-ignore format: short
  }
  await file.close();
  const fixtures = ['corpus', 'nested', 'moments', 'legacy', 'empty', 'dictionary', 'views', 'map', 'zstd'].map((name) =>
    fixture(`datasets/fixtures/arrow/${name}.arrow`),
  );
  const mutated = path.join(folder, 'mutated.arrow');
  return {
    binary: true,
    seeds: [await fs.readFile(own), ...fixtures],
    async run(input) {
      await fs.writeFile(mutated, input);
      for await (const batch of readBatches(mutated)) {
        for (const row of batch) JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? String(value) : value));
      }
      let documents = 0;
      for await (const chunk of readChunks(mutated)) {
        assert.equal(chunk.first, documents);
        documents += chunkLength(chunk);
        for (let i = 0; i < chunkLength(chunk); i++) {
          assert.equal(typeof chunkText(chunk, i), 'string');
          assert.equal(typeof chunk.sources[chunk.sourceOf[i]], 'string');
        }
        assert.equal(chunk.offsets.at(-1), chunk.text.length);
      }
    },
  };
};

/** Prepared data in which `name` is mutated: what the loader and the passes of an evaluation give. */
function preparedTarget(name: string, mutate?: Target['mutate']): OpenTarget {
  return async (folder) => {
    const directory = path.join(folder, 'prepared');
    const tokenizer = trainTokenizer(TEXTS, { kind: 'bpe', vocabSize: 300 });
    const documents = TEXTS.map((text, i) => preparedDocument(tokenizer, `s${i >> 1}`, text));
    await writePrepared(directory, { tokenizer, train: documents, eval: documents.slice(0, 3), batchDocuments: 2, shardBatches: 2 });
    const file = path.join(directory, name);
    const common = { directory, contextLength: 8, batchSize: 2 };
    return {
      seeds: [await fs.readFile(file)],
      binary: mutate === undefined,
      mutate,
      async run(input) {
        await fs.writeFile(file, input);
        for (const [sampling, packing] of [
          ['epoch', 'segments'],
          ['random', 'concat'],
        ] as const) {
          // biome-ignore format: short
          const loader = await openLoader({ ...common, sampling, packing, seed: 1 });
          try {
            for (let i = 0; i < 4; i++) checkIds((await loader.next()).ids, tokenizer.vocabSize);
          } finally {
            await loader.close();
          }
        }
        for (const split of ['train', 'eval'] as const) {
          const pass = await openPass({ ...common, split, packing: 'concat' });
          try {
            for await (const { batch } of pass.batches()) checkIds(batch.ids, tokenizer.vocabSize);
          } finally {
            await pass.close();
          }
        }
      },
    };
  };
}

function checkIds(ids: Int32Array, vocabSize: number): void {
  assert.ok(ids.every((id) => id >= 0 && id < vocabSize));
}

export const tokensTarget = preparedTarget('train-00000.arrow');
export const datasetTarget = preparedTarget('dataset.json', (random, seed) =>
  Buffer.from(JSON.stringify(mutateValue(random, JSON.parse(Buffer.from(seed).toString('utf8'))))),
);
