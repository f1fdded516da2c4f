import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { IdList, readTokenizer } from '../../tokenizer/index.js';
import { mutateValue } from './mutate.js';
import { fixture, type OpenTarget } from './target.js';

const TEXT =
  "The cat's 12345 <|bos|> mats\r\n\r\n  sat — “naïve” e\u0301 中文字符。🙂👩‍👩‍👧 \0\t\tend " + // some of everything
  `${'a'.repeat(300)} ${' '.repeat(300)}${'ab '.repeat(100)}${'!'.repeat(100)}`;

/** tokenizer.json: loaded, then used. */
export const tokenizerTarget: OpenTarget = async (folder) => {
  const file = path.join(folder, 'tokenizer.json');
  const others = ['added', 'gpt2', 'llama3', 'prefixed', 'qwen2', 'roberta', 'splits'].map((name) => `others/${name}`);
  return {
    seeds: ['bpe', 'char', 'word', ...others].map((name) => {
      const { tokenizer } = JSON.parse(fixture(`tokenizer/fixtures/${name}.json`).toString('utf8'));
      return Buffer.from(JSON.stringify(tokenizer));
    }),
    mutate: (random, seed) => Buffer.from(JSON.stringify(mutateValue(random, JSON.parse(Buffer.from(seed).toString('utf8'))))),
    async run(input) {
      await fs.writeFile(file, input);
      const tokenizer = await readTokenizer(file);
      const { vocabSize, special } = tokenizer;
      for (const id of Object.values(special)) assert.ok(Number.isInteger(id) && id >= -1 && id < vocabSize, `special id ${id}`);
      for (const options of [{}, { allowSpecial: true }]) {
        const ids = tokenizer.encode(TEXT, options);
        for (const id of ids) {
          assert.ok(Number.isInteger(id) && id >= 0 && id < vocabSize, `id ${id} of ${vocabSize}`);
          assert.ok(tokenizer.byteLength(id) >= 0, `${tokenizer.byteLength(id)} bytes of the token ${id}`);
        }
        const list = new IdList();
        tokenizer.encodeUtf8(Buffer.from(TEXT), list, options);
        assert.deepEqual(Array.from(list.slice()), ids);
        const decoder = tokenizer.decoder();
        const streamed = ids.map((id) => decoder.push(id)).join('') + decoder.end();
        assert.equal(streamed, tokenizer.decode(ids));
      }
      for (let id = 0; id < vocabSize; id++) assert.equal(typeof tokenizer.tokenOf(id), 'string', `token ${id}`);
      assert.match(tokenizer.hash(), /^[0-9a-f]{64}$/);
    },
  };
};
