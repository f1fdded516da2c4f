import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs';
import { ArrowFile } from '../../datasets/arrow.js';
import { type Prompt, promptsBatch, promptsSchema, tableKind } from '../../datasets/conversations.js';
import { type Generation, readGenerations } from '../../datasets/generations.js';
import { logits } from '../../model/heads.js';
import { forward } from '../../model/transformer.js';
import { type AnswerOptions, answerPrompts } from '../../sampler/answers.js';
import { loadModel } from '../../sampler/model.js';
import { type Message, readChatTemplate, trainTokenizer } from '../../tokenizer/index.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { saveTinyModel } from './tiny-model.js';

describe('answers to a table of prompts', () => {
  const at = temporaryFolder();
  const tokenizer = trainTokenizer(['one two three four five six seven'], { kind: 'bpe', vocabSize: 290 });
  const user = (content: string): Message[] => [{ role: 'user', content }];
  const prompts: Prompt[] = Array.from({ length: 13 }, (_, i) => ({
    prompt: user(['one', 'two three', 'four five six', 'one seven'][i % 4].slice(0, 3 + i)),
    ...(i % 2 && { reference: `${i}` }),
    source: i < 6 ? 'a' : 'b',
  }));
  const table = async (name: string, rows: readonly Prompt[]) => {
    const schema = promptsSchema(new Map());
    const arrow = new ArrowFile(at(name), schema);
    await arrow.write(promptsBatch(schema, rows));
    await arrow.close();
    return at(name);
  };
  const answer = async (name: string, more: Partial<AnswerOptions> = {}) => {
    const options: AnswerOptions = {
      ...{ device: 'auto', threads: 1, precision: 'fp32', data: at('prompts.arrow'), output: at(name) },
      ...{ num: 2, maxTokens: 8, temperature: 0.9, seed: 5, say: () => {} },
      ...more,
    };
    return answerPrompts(at('model'), options);
  };
  const read = async (name: string) => {
    const all: Generation[] = [];
    for await (const rows of readGenerations(at(name))) all.push(...rows);
    return all;
  };
  before(async () => {
    await saveTinyModel(at('model'), tokenizer);
    await table('prompts.arrow', prompts);
  });

  it('are the same bytes whatever the size of the batch', async () => {
    for (const batchSize of [1, 3, 64]) await answer(`batch-${batchSize}.arrow`, { batchSize });
    const [one, ...others] = await Promise.all([1, 3, 64].map((n) => fs.readFile(at(`batch-${n}.arrow`))));
    for (const other of others) assert.ok(one.equals(other));
  });

  it('stand in a table of generations, with prompt, reference and source', async () => {
    await answer('table.arrow');
    assert.equal(await tableKind(at('table.arrow')), 'generations');
    const rows = await read('table.arrow');
    assert.deepEqual(
      rows.map(({ prompt, reference, source }) => ({ prompt, ...(reference !== undefined && { reference }), source })),
      prompts,
    );
    for (const { answers } of rows) {
      assert.equal(answers.length, 2);
      for (const { finishReason, tokens } of answers) assert.ok(finishReason === 'stop' || tokens === 8);
    }
  });

  it('have the log-probability that the model gives their tokens, to 1e-5 a token', async () => {
    await answer('greedy.arrow', { temperature: 0, num: 1 });
    const model = await loadModel(at('model'));
    const template = await readChatTemplate(at('model'), model.tokenizer);
    for (const { prompt, answers } of await read('greedy.arrow')) {
      const { ids } = template.encode(prompt, { addGenerationPrompt: true });
      let expected = 0;
      for (let i = 0; i < answers[0].tokens; i++) {
        const row = tf.tidy(() => {
          const whole = (values: number[]) => tf.tensor2d(values, [1, ids.length], 'int32');
          const batch = { ids: whole(ids), positions: whole(ids.map((_, t) => t)), segments: whole(ids.map(() => 0)) };
          const hidden = forward(model.parameters as Map<string, tf.Variable>, model.config, batch);
          const last = tf.reshape(tf.slice(hidden, [0, ids.length - 1, 0], [1, 1, -1]), [1, -1]);
          return tf.logSoftmax(logits(model.parameters as Map<string, tf.Variable>, model.config, last) as tf.Tensor2D);
        });
        const values = (await row.data()) as Float32Array;
        row.dispose();
        const likeliest = values.indexOf(values.reduce((a, b) => Math.max(a, b)));
        expected += values[likeliest];
        ids.push(likeliest);
      }
      assert.ok(Math.abs(answers[0].logProb - expected) < 1e-5 * answers[0].tokens, `${answers[0].logProb} ${expected}`);
    }
    model.dispose();
  });

  it('can each be made again alone, from its seed', async () => {
    await answer('all.arrow');
    const rows = await read('all.arrow');
    for (const [i, index] of [
      [0, 1],
      [7, 0],
      [12, 1],
    ]) {
      await table('alone.arrow', [prompts[i]]);
      await answer(`alone-${i}.arrow`, { data: at('alone.arrow'), num: 1, seed: rows[i].answers[index].seed });
      assert.deepEqual((await read(`alone-${i}.arrow`))[0].answers[0], rows[i].answers[index]);
    }
  });

  it('are what an uninterrupted run gives, to the byte, after a stop', async () => {
    await answer('whole.arrow', { num: 6, batchSize: 4 });
    const controller = new AbortController();
    const stopped = answer('stopped.arrow', {
      ...{ num: 6, batchSize: 4, signal: controller.signal },
      onProgress: ({ answers }) => answers >= 20 && controller.abort(),
    });
    await assert.rejects(stopped, { name: 'AbortError' });
    await assert.rejects(fs.stat(at('stopped.arrow')));
    const said: string[] = [];
    await answer('stopped.arrow', { num: 6, batchSize: 8, say: (text) => said.push(text) });
    assert.match(said.join('\n'), /going on after \d+ of 78 answers/);
    assert.ok((await fs.readFile(at('stopped.arrow'))).equals(await fs.readFile(at('whole.arrow'))));
  });

  it('are refused for prompts that leave no room, which are named, or left out', async () => {
    await table('long.arrow', [prompts[0], { prompt: user('one two three '.repeat(20)), source: 'a' }]);
    await assert.rejects(answer('long-out.arrow', { data: at('long.arrow') }), { name: 'UserError', message: /row 1\b/ });
    assert.equal((await answer('long-out.arrow', { data: at('long.arrow'), overlong: 'drop' })).dropped, 1);
    await assert.rejects(answer('long-out.arrow', { data: at('long.arrow'), overlong: 'drop' }), /exists already/);
  });
});
