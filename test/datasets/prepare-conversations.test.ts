import assert from 'node:assert/strict';
import { ArrowFile } from '../../datasets/arrow.js';
import { type Conversation, conversationsBatch, conversationsSchema, splitKey } from '../../datasets/conversations.js';
import { readDataset } from '../../datasets/dataset.js';
import { isHeldOut } from '../../datasets/documents.js';
import { openPass } from '../../datasets/pass.js';
import { type PrepareConversationsOptions, prepareConversations } from '../../datasets/prepare-conversations.js';
import { openTokens } from '../../datasets/token-store.js';
import { CHAT_TEMPLATE, chatTemplate, type Message, trainTokenizer } from '../../tokenizer/index.js';
import { preparedDocument, writePrepared } from './prepared.js';
import { temporaryFolder } from './temporary.js';

const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string): Message => ({ role: 'assistant', content });

describe('conversations prepared for training', () => {
  const at = temporaryFolder();
  const tokenizer = trainTokenizer(['one two three four five six seven eight nine ten'], { kind: 'bpe', vocabSize: 290 });
  const template = chatTemplate(CHAT_TEMPLATE, tokenizer);
  const table = async (name: string, rows: readonly Conversation[]): Promise<string> => {
    const schema = conversationsSchema(new Map(), { weighted: rows.some(({ weight }) => weight !== undefined) });
    const arrow = new ArrowFile(at(name), schema);
    await arrow.write(conversationsBatch(schema, rows));
    await arrow.close();
    return at(name);
  };
  const prepare = async (rows: readonly Conversation[], more: Partial<PrepareConversationsOptions> = {}) =>
    prepareConversations({
      paths: [await table('table.arrow', rows)],
      tokenizer,
      template,
      output: at('tokens'),
      contextLength: 40,
      seed: 1,
      train_on: 'assistant',
      overlong: 'truncate_turns',
      allow_special: false,
      eval_fraction: 0,
      ...more,
    });
  /** Each document of the training part as text, what is to be predicted in brackets. */
  const documents = async (): Promise<string[]> => {
    const store = await openTokens(at('tokens'), 'train');
    const shown: string[] = [];
    for (let b = 0; b < store.batches.length; b++) {
      const { ids, offsets, supervised } = await store.read(b);
      for (let d = 0; d + 1 < offsets.length; d++) {
        let text = '';
        for (let i = offsets[d]; i < offsets[d + 1]; i++)
          text += supervised![i] ? `[${tokenizer.decode([ids[i]])}]` : tokenizer.decode([ids[i]]);
        shown.push(text.replaceAll('][', ''));
      }
    }
    await store.close();
    return shown;
  };

  it('marks the answers and the mark that ends each', async () => {
    const dataset = await prepare([{ messages: [user('one'), assistant('two'), user('three'), assistant('four')], source: 'a' }]);
    assert.deepEqual(await documents(), [
      '<|bos|><|user|>one<|eos|><|assistant|>[two<|eos|>]<|user|>three<|eos|><|assistant|>[four<|eos|>]',
    ]);
    const counts = dataset.conversations!;
    assert.equal(counts.supervised + counts.ignored, dataset.train.tokens);
    const { encode } = tokenizer;
    assert.equal(counts.supervised, [...encode.call(tokenizer, 'two'), ...encode.call(tokenizer, 'four')].length + 2);
  });

  it('marks the last answer, or everything, where that is wanted', async () => {
    const rows = [{ messages: [user('one'), assistant('two'), user('three'), assistant('four')], source: 'a' }];
    await prepare(rows, { train_on: 'last_assistant' });
    assert.deepEqual(await documents(), ['<|bos|><|user|>one<|eos|><|assistant|>two<|eos|><|user|>three<|eos|><|assistant|>[four<|eos|>]']);
    await prepare(rows, { train_on: 'all' });
    assert.deepEqual(await documents(), ['<|bos|>[<|user|>one<|eos|><|assistant|>two<|eos|><|user|>three<|eos|><|assistant|>four<|eos|>]']);
  });

  const numbers = (n: number) => 'one two three four five six seven eight nine ten'.split(' ').slice(0, n).join(' ');
  const long = { messages: [user('one'), assistant('two'), user(numbers(10)), assistant(numbers(10))], source: 'a' };
  const longAtOnce = { messages: [user('one'), assistant(`${numbers(10)} ${numbers(10)} ${numbers(10)}`)], source: 'a' };
  const short = { messages: [user('six'), assistant('seven')], source: 'a' };

  it('leaves out the last turns of what is too long, and the whole where one turn is', async () => {
    const { conversations } = await prepare([long, short, longAtOnce], { contextLength: 24 });
    assert.deepEqual([conversations!.rows, conversations!.truncated, conversations!.dropped], [3, 1, 1]);
    assert.deepEqual(await documents(), [
      '<|bos|><|user|>one<|eos|><|assistant|>[two<|eos|>]',
      '<|bos|><|user|>six<|eos|><|assistant|>[seven<|eos|>]',
    ]);
  });

  it('cuts, leaves out or refuses what is too long, as it is told', async () => {
    const cut = await prepare([longAtOnce, short], { contextLength: 24, overlong: 'truncate' });
    assert.deepEqual([cut.conversations!.truncated, cut.conversations!.dropped], [1, 0]);
    const store = await openTokens(at('tokens'), 'train');
    assert.equal((await store.read(0)).offsets[1], 24);
    await store.close();
    const dropped = await prepare([longAtOnce, short], { contextLength: 24, overlong: 'drop' });
    assert.deepEqual([dropped.conversations!.dropped, dropped.train.documents], [1, 1]);
    await assert.rejects(
      prepare([short, longAtOnce], { contextLength: 24, overlong: 'error' }),
      /too long: .*table\.arrow, row 1 \(\d+ tokens\)/,
    );
    const unanswered = { messages: [user(`${numbers(10)} ${numbers(10)}`), assistant('one')], source: 'a' };
    const nothing = await prepare([short, unanswered], { contextLength: 12, overlong: 'truncate' });
    assert.equal(nothing.conversations!.dropped, 1); // nothing to predict is left of it
  });

  it('holds out by the first question, whatever else there is', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => ({ messages: [user(`question ${i % 100}`), assistant(`${i}`)], source: 'a' }));
    const dataset = await prepare(rows, { eval_fraction: 0.2 });
    const heldOut = rows.filter(({ messages }) => isHeldOut(`question ${splitKey(messages).slice(9)}`, 0.2));
    assert.equal(dataset.eval.documents, heldOut.length);
    assert.equal(heldOut.length % 2, 0);
    assert.ok(heldOut.length > 10 && heldOut.length < 80);
  });

  it('names the rows of no weight, and says where too few are left', async () => {
    await assert.rejects(prepare([short, { ...short, weight: 0 }]), /there is none in .*table\.arrow, row 1 \(weight 0\)/);
    await assert.rejects(
      prepare([longAtOnce], { contextLength: 24, overlong: 'drop' }),
      /some to train on; of 1 in .*table\.arrow, 1 are too long/,
    );
    await assert.rejects(prepare([short], { eval_fraction: 1e-9 }), /some to hold out/);
  });

  it('gives rows whose targets are the answers alone, and weights where a table has them', async () => {
    await prepare([
      { ...short, weight: 2 },
      { ...short, messages: [user('one'), assistant('two')] },
    ]);
    const pass = await openPass({ directory: at('tokens'), split: 'train', contextLength: 40, batchSize: 1, packing: 'segments' });
    for await (const { batch } of pass.batches()) {
      const targets = Array.from(batch.targets).filter((target) => target >= 0);
      assert.equal(tokenizer.decode(targets), 'seven<|eos|>two<|eos|>');
      const weights = Array.from(batch.weights!).filter((weight) => weight > 0);
      const seven = tokenizer.encode('seven').length + 1;
      assert.deepEqual(
        weights,
        targets.map((_, i) => (i < seven ? 2 : 1)),
      );
      assert.equal(
        batch.weight,
        weights.reduce((sum, weight) => sum + weight, 0),
      );
    }
    await pass.close();
  });

  it('takes as much pretraining text as is wanted, all of it supervised', async () => {
    const text = Array.from({ length: 40 }, (_, i) => preparedDocument(tokenizer, i % 2 ? 'odd' : 'even', `${numbers(5)} ${i}`));
    await writePrepared(at('text'), { tokenizer, train: text, eval: text.slice(0, 4) });
    const dataset = await prepare([short, long], { contextLength: 64, replay: { directory: at('text'), tokens: (train) => train * 2 } });
    assert.deepEqual(dataset.sources, ['a', 'replay/even', 'replay/odd']);
    const [own, ...replayed] = dataset.train.sources.map(({ tokens }) => tokens);
    const sum = replayed.reduce((a, b) => a + b, 0);
    assert.ok(sum >= 2 * own && sum < 2 * own + 40, `${sum} beside ${own}`);
    assert.ok((await documents()).slice(2).every((shown) => /^<\|bos\|>\[one two three four five \d+<\|eos\|>\]$/.test(shown)));
    assert.deepEqual((await readDataset(at('tokens'))).eval.documents, 0);
  });
});
