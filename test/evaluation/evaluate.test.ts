import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import * as tf from '@tensorflow/tfjs';
import { ArrowFile, corpusBatch, corpusSchema } from '../../datasets/arrow.js';
import { type Conversation, conversationsBatch, conversationsSchema, splitKey } from '../../datasets/conversations.js';
import { isHeldOut } from '../../datasets/documents.js';
import { prepare } from '../../datasets/prepare.js';
import { type EvaluateOptions, evaluate } from '../../evaluation/evaluate.js';
import type { ConversationEvaluation, TextEvaluation } from '../../evaluation/evaluation.js';
import { normalised } from '../../evaluation/match.js';
import { logits } from '../../model/heads.js';
import { forward } from '../../model/transformer.js';
import { generate } from '../../sampler/generate.js';
import { loadModel } from '../../sampler/model.js';
import { answerText } from '../../sampler/output.js';
import { type Message, readChatTemplate, trainTokenizer } from '../../tokenizer/index.js';
import { fourfold } from '../cli/capture.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { saveTinyModel, tinyConfig } from '../sampler/tiny-model.js';
import { withoutColour } from '../util/environment.js';

describe('the evaluation of a language model', () => {
  const at = temporaryFolder();
  withoutColour();
  const tokenizer = trainTokenizer(['one two three four five six seven eight'], { kind: 'bpe', vocabSize: 290 });
  const turn = (question: string, answer: string): Message[] => [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ];
  const words = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'];
  const rows: Conversation[] = words.map((word, i) => ({
    messages: [...(i % 3 ? [] : turn('six', 'two')), ...turn(word, words[7 - i])],
    source: i < 3 ? 'a' : 'b',
  }));
  const table = async (name: string, conversations: readonly Conversation[]) => {
    const schema = conversationsSchema(new Map());
    const arrow = new ArrowFile(at(name), schema);
    await arrow.write(conversationsBatch(schema, conversations));
    await arrow.close();
    return at(name);
  };
  const options: EvaluateOptions = {
    ...{ device: 'auto', threads: 1, evalFraction: 0.5, trainOn: 'assistant', generate: true, maxTokens: 6, batchSize: 4, examples: 2 },
    packing: 'segments',
  };
  const conversationsOf = async (data: string, more: Partial<EvaluateOptions> = {}) =>
    (await evaluate(at('model'), [data], { ...options, ...more }))[0] as ConversationEvaluation;
  const textOf = async (data: string, more: Partial<EvaluateOptions> = {}) =>
    (await evaluate(at('model'), [data], { ...options, ...more }))[0] as TextEvaluation;

  /** −log p of each token after the first of a text by itself, and whether the token is the likeliest one. */
  const byItself = async (ids: readonly number[]) => {
    const model = await loadModel(at('model'));
    const found = tf.tidy(() => {
      const shape: [number, number] = [1, ids.length];
      const positions = tf.tensor2d([...ids.keys()], shape, 'int32');
      const batch = { ids: tf.tensor2d([...ids], shape, 'int32'), positions, segments: tf.zerosLike(positions) };
      const all = tf.squeeze(logits(model.parameters, model.config, forward(model.parameters, model.config, batch))) as tf.Tensor2D;
      const scores = tf.logSoftmax(all).arraySync() as number[][];
      return ids.slice(1).map((id, i) => ({ loss: -scores[i][id], correct: scores[i][id] === Math.max(...scores[i]) }));
    });
    model.dispose();
    return found;
  };

  before(async () => {
    // with tied embeddings an untrained model says again what it was told last
    await saveTinyModel(at('model'), tokenizer, { ...tinyConfig(tokenizer), tie_word_embeddings: false });
    await table('chats.arrow', rows);
    const schema = corpusSchema(new Map());
    const arrow = new ArrowFile(at('corpus.arrow'), schema);
    await arrow.write(corpusBatch(schema, ['one two', 'three', 'four five six', 'seven'], ['x', 'y', 'x', 'x']));
    await arrow.close();
  });

  it("gives the answers' loss and accuracy as each conversation by itself has them, in all and by source", async () => {
    const found = await conversationsOf(at('chats.arrow'), { generate: false });
    assert.deepEqual([found.kind, found.conversations, found.too_long, found.part], ['conversations', 8, 0, 'all']);
    const template = await readChatTemplate(at('model'), tokenizer);
    for (const [name, scores] of [['all', found.all] as const, ...Object.entries(found.sources)]) {
      const tokens: { loss: number; correct: boolean }[] = [];
      for (const { messages } of rows.filter(({ source }) => name === 'all' || source === name)) {
        const { ids, supervised } = template.encode(messages);
        tokens.push(...(await byItself(ids)).filter((_, i) => supervised[i + 1] === 1));
      }
      const loss = tokens.reduce((sum, token) => sum + token.loss, 0) / tokens.length;
      assert.equal(scores.tokens, tokens.length);
      assert.ok(Math.abs(scores.loss - loss) < 1e-5, `${name}: ${scores.loss} ${loss}`);
      assert.ok(Math.abs(scores.perplexity - Math.exp(loss)) < 1e-2);
      assert.equal(scores.token_accuracy, tokens.filter(({ correct }) => correct).length / tokens.length);
      assert.equal(scores.answers, undefined);
    }
    assert.deepEqual(Object.keys(found.sources), ['a', 'b']);
  });

  it('says how many greedy answers are the expected ones, and shows the first', async () => {
    const model = await loadModel(at('model'));
    const template = await readChatTemplate(at('model'), tokenizer);
    const answers = new Map<string, string>();
    for (const word of [...words, ...words.flatMap((one) => words.map((other) => `${one} ${other}`))]) {
      const { ids } = template.encode(turn(word, '').slice(0, 1), { addGenerationPrompt: true });
      const { tokens } = await generate(model, [ids], { sampling: { temperature: 0 }, maxTokens: 6, eos: template.stopIds, seed: 9 });
      const output = answerText(tokenizer, { stopIds: template.stopIds, stop: [], maxTokens: 6 });
      const answer = tokens[0].map((id) => output.push(id)).join('') + output.end();
      if (normalised(answer) !== '') answers.set(word, answer);
      if (answers.size === 4) break;
    }
    model.dispose();
    const [first, second, , fourth] = answers.values();
    const expected = [first, `“${second}”`, 'none of these', fourth];
    const known = [...answers.keys()].map((question, i) => ({ messages: turn(question, expected[i]), source: i < 2 ? 'a' : 'b' }));
    const found = await conversationsOf(await table('known.arrow', known));
    assert.deepEqual([found.all.answers, found.all.exact_match, found.all.normalised_match], [4, 0.5, 0.75]);
    assert.deepEqual([found.sources.a.exact_match, found.sources.b.normalised_match], [0.5, 0.5]);
    assert.deepEqual(
      found.examples.map(({ answer, match }) => ({ answer, match })),
      [
        { answer: first, match: 'exact' },
        { answer: second, match: 'normalised' },
      ],
    );
  });

  it('takes the held-out part by the hash of the first question, and so many as it is told', async () => {
    const heldOut = rows.filter(({ messages }) => isHeldOut(splitKey(messages), 0.5)).length;
    assert.ok(heldOut > 0 && heldOut < 8);
    assert.equal((await conversationsOf(at('chats.arrow'), { split: 'eval', generate: false })).conversations, heldOut);
    assert.equal((await conversationsOf(at('chats.arrow'), { split: 'train', generate: false })).conversations, 8 - heldOut);
    assert.equal((await conversationsOf(at('chats.arrow'), { limit: 3, generate: false })).conversations, 3);
  });

  it('counts what is longer than the context, and says so where nothing is left', async () => {
    const long: Conversation = { messages: turn('one', 'eight '.repeat(40)), source: 'a' };
    const found = await conversationsOf(await table('long.arrow', [...rows, long]), { generate: false });
    assert.deepEqual([found.conversations, found.too_long], [9, 1]);
    await assert.rejects(
      conversationsOf(await table('none.arrow', [long])),
      /received none, but for 1 longer than the model's context of 32/,
    );
  });

  it('gives loss and bits per byte of a corpus as each document by itself has them', async () => {
    const found = await textOf(at('corpus.arrow'));
    const { bos, eos } = tokenizer.special;
    const losses: number[] = [];
    for (const text of ['one two', 'three', 'four five six', 'seven']) {
      losses.push(...(await byItself([bos, ...tokenizer.encode(text), eos])).map(({ loss }) => loss));
    }
    const sum = losses.reduce((a, b) => a + b, 0);
    assert.equal(found.all.tokens, losses.length);
    assert.ok(Math.abs(found.all.loss - sum / losses.length) < 1e-5);
    assert.ok(Math.abs(found.all.bits_per_byte - sum / Math.LN2 / 'one twothreefour five sixseven'.length) < 1e-4);
    assert.deepEqual(Object.keys(found.sources), ['x', 'y']);
    assert.deepEqual(await leftFolders(), []);
  });

  it('reads prepared tokens of its own tokenizer only', async () => {
    const prepared = { corpora: [at('corpus.arrow')], split: 'hash' as const, evalFraction: 0.3, seed: 1 };
    await prepare({ ...prepared, tokenizer, output: at('tokens') });
    const whole = await textOf(at('corpus.arrow'), { split: 'train', evalFraction: 0.3 });
    assert.deepEqual((await textOf(at('tokens'), { split: 'train' })).all, whole.all);
    await assert.rejects(textOf(at('tokens'), { split: 'all' }), /two parts, train and eval; received --split all/);
    await prepare({ ...prepared, tokenizer: { kind: 'char' }, output: at('others') });
    await assert.rejects(textOf(at('others'), { split: 'train' }), /must be made with the checkpoint's tokenizer/);
  });

  it('is printed as a table and as JSON', async () => {
    const argv = ['eval', at('model'), at('chats.arrow'), at('corpus.arrow'), '--threads', '1', '--max-tokens', '4', '--examples', '1'];
    const { code, stdout, stderr } = await fourfold(...argv);
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /chats\.arrow: 8 conversations\n {2}source {2}tokens {4}loss {2}perplexity {2}bits per byte {2}token accuracy {2}answers/,
    );
    assert.match(stdout, /^ {2}all .* 0\.0 % \(0\.0 % – 32\.4 %\)/m);
    assert.match(stdout, /^ {2}expected: eight\n {2}answered: .*\[no match\]$/m);
    assert.match(stdout, /corpus\.arrow: text\n {2}source/);
    const json = await fourfold(...argv, '--json', '--no-generate');
    const [chats, text] = JSON.parse(json.stdout);
    assert.deepEqual([chats.kind, chats.all.answers, text.kind], ['conversations', undefined, 'text']);
  });

  it('names the kinds of data that it can read', async () => {
    const { code, stderr } = await fourfold('eval', at('model'), at('model/model.safetensors'));
    assert.equal(code, 1);
    assert.match(stderr, /^error: .*model\.safetensors/);
  });

  const leftFolders = async () => (await fs.readdir(os.tmpdir())).filter((name) => name.startsWith('fourfold-eval-'));
});
