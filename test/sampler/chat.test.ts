import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import type { ModelConfig } from '../../model/config.js';
import { initialParameters } from '../../model/parameters.js';
import { type ChatAnswer, type ChatOptions, type ChatSession, chatSession } from '../../sampler/chat.js';
import { slidWindow } from '../../sampler/context-window.js';
import { generate } from '../../sampler/generate.js';
import type { TextModel } from '../../sampler/model.js';
import { CHAT_TEMPLATE } from '../../tokenizer/chat-template.js';
import { type ChatTemplate, chatTemplate, type Message, NAMED_TEMPLATES, trainTokenizer } from '../../tokenizer/index.js';
import { UserError } from '../../util/errors.js';
import { onDevices, onNative, onTrainingDevices } from '../ops/conformance.js';
import { tinyConfig } from './tiny-model.js';

const tokenizer = trainTokenizer(['The sea is calm tonight. 今晚大海很平静。', 'The tide is full, the moon lies fair'], {
  kind: 'bpe',
  vocabSize: 300,
});
const template = chatTemplate(CHAT_TEMPLATE, tokenizer);
const { eos } = tokenizer.special;

type Talk = (text: string) => Promise<ChatAnswer>;
interface Setting {
  model: TextModel;
  session: ChatSession;
  send: Talk;
}

const SAMPLED: ChatOptions = { sampling: { temperature: 1.1, topP: 0.95, repetitionPenalty: 1.1 }, maxTokens: 9, seed: 2 ** 35 + 3 };
const GREEDY: ChatOptions = { ...SAMPLED, sampling: { temperature: 0 } };

/** A session with a small untrained model, whose answers are nonsense of all bytes. */
async function withSession(
  options: ChatOptions,
  body: (setting: Setting) => Promise<void>,
  { context = 128, own = template }: { context?: number; own?: ChatTemplate } = {},
): Promise<void> {
  const config: ModelConfig = { ...tinyConfig(tokenizer), max_position_embeddings: context };
  const parameters = initialParameters(config, 5);
  tf.tidy(() => {
    for (const parameter of parameters.values()) if (parameter.rank > 1) parameter.assign(tf.mul(parameter, 6)); // surer of its nonsense
  });
  const model = { config, parameters, tokenizer };
  let session: ChatSession | undefined;
  try {
    session = chatSession(model, own, options);
    await body({ model, session, send: (text) => session!.send(text) });
  } finally {
    session?.dispose();
    for (const parameter of parameters.values()) parameter.dispose();
  }
}

/** What `generate`, which knows no cache of earlier turns, continues `ids` with. */
async function generated(model: TextModel, ids: number[], turn: number, { sampling, maxTokens, seed }: ChatOptions): Promise<number[]> {
  const { tokens } = await generate(model, [ids], { sampling, maxTokens, seed, eos: template.stopIds, numbers: [turn] });
  return tokens[0];
}

const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string): Message => ({ role: 'assistant', content });
const system = (content: string): Message => ({ role: 'system', content });
const withoutEnd = (tokens: readonly number[]) => tokens.filter((id) => id !== eos);

/** The conversation's tokens up to where the next answer begins, its answers by their ids. */
function conversationIds(messages: Message[], answers: readonly ChatAnswer[]): number[] {
  const places = messages.flatMap(({ role }, i) => (role === 'assistant' ? [i] : []));
  const known = new Map(places.map((place, i) => [place, withoutEnd(answers[i].tokens)]));
  return template.encode(messages, { addGenerationPrompt: true, known }).ids;
}

const QUESTIONS = ['The sea?', '今晚', 'the moon <|eos|> lies', 'fair'];

describe('a chat', () => {
  for (const [name, options] of Object.entries({ sampled: SAMPLED, greedy: GREEDY })) {
    onTrainingDevices(`answers each turn as if the whole conversation were read anew: ${name}`, async () => {
      await withSession({ ...options, system: 'calm' }, async ({ model, send }) => {
        const messages = [system('calm')];
        const answers: ChatAnswer[] = [];
        for (const [turn, question] of QUESTIONS.entries()) {
          messages.push(user(question));
          const expected = await generated(model, conversationIds(messages, answers), turn, options);
          const answer = await send(question);
          assert.deepEqual(answer.tokens, expected);
          answers.push(answer);
          messages.push(assistant(answer.text));
        }
      });
    });
  }

  onNative('reads of each turn what is new, and keeps the ids that the model gave', async () => {
    await withSession(SAMPLED, async ({ session, send }) => {
      const first = await send('The sea?');
      const prompt = template.encode([user('The sea?')], { addGenerationPrompt: true }).ids;
      assert.equal(first.readTokens, prompt.length);
      const second = await send('fair');
      const added = template.encode([user('fair')], { addGenerationPrompt: true }).ids.length - 1; // its bos
      const unread = first.finishReason === 'stop' ? 1 : 2; // the end mark, and where the model gave none its last token
      assert.equal(second.readTokens, unread + added);
      assert.notDeepEqual(tokenizer.encode(first.text), withoutEnd(first.tokens), 'the text alone would not have given these ids');
      assert.equal((await session.regenerate()).readTokens, 1);
    });
  });

  onNative('gives its text in pieces as it comes, tidied', async () => {
    await withSession({ ...SAMPLED, maxTokens: 60 }, async ({ session }) => {
      const pieces: string[] = [];
      const answer = await session.send('The sea?', (text) => pieces.push(text));
      assert.equal(pieces.join(''), answer.text);
      assert.ok(pieces.length > 5 && pieces.every((piece) => piece !== ''));
      const whole = tokenizer.decode(withoutEnd(answer.tokens), { skipSpecial: true });
      assert.ok(whole.trim().startsWith(answer.text));
      assert.deepEqual(session.conversation, [user('The sea?'), assistant(answer.text)]);
    });
  });

  onNative('says what it gave: tokens, their log-probability, how fast', async () => {
    await withSession({ ...GREEDY, maxTokens: 5 }, async ({ send }) => {
      const answer = await send('The sea?');
      assert.deepEqual([answer.tokens.length, answer.finishReason, answer.left], [5, 'length', 0]);
      assert.ok(answer.logProb < 0 && answer.logProb > -5 * Math.log(tokenizer.vocabSize) && answer.tokensPerSecond > 0);
      assert.equal(answer.seenTokens, answer.readTokens + 4);
    });
  });

  onNative('answers another time with other draws, with the same where the seed is the same', async () => {
    const texts: string[][] = [];
    for (let run = 0; run < 2; run++) {
      await withSession(SAMPLED, async ({ session, send }) => {
        const answers = [await send('a'), await send('b'), await session.regenerate(), await session.regenerate(), await send('c')];
        texts.push(answers.map(({ tokens }) => tokens.join()));
        assert.deepEqual(
          session.conversation.map(({ content }) => content),
          ['a', answers[0].text, 'b', answers[3].text, 'c', answers[4].text],
        );
      });
    }
    assert.deepEqual(texts[0], texts[1]);
    assert.equal(new Set(texts[0].slice(1, 4)).size, 3);
    await withSession({ ...SAMPLED, seed: 3 }, async ({ send }) => assert.notEqual((await send('a')).tokens.join(), texts[0][0]));
  });

  onNative('answers the same another time at temperature 0, which can be set on the way', async () => {
    await withSession(SAMPLED, async ({ session, send }) => {
      const { tokens } = await send('a');
      session.setTemperature(0);
      assert.equal(session.temperature, 0);
      const likeliest = await session.regenerate();
      assert.notDeepEqual(likeliest.tokens, tokens);
      assert.deepEqual((await session.regenerate()).tokens, likeliest.tokens);
    });
  });

  onNative('has nothing to answer again before the first answer', async () => {
    await withSession(SAMPLED, async ({ session }) => {
      await assert.rejects(session.regenerate(), /^UserError: chat: only an answer can be given anew; nothing was answered yet/);
    });
  });

  onNative('begins anew, with its system prompt', async () => {
    await withSession({ ...SAMPLED, system: 'calm' }, async ({ session, send }) => {
      const first = await send('a');
      await send('b');
      session.reset();
      assert.deepEqual(session.conversation, [system('calm')]);
      const again = await send('a');
      assert.deepEqual(again.tokens, first.tokens);
      assert.equal(again.readTokens, 1, 'the cache is as good as before');
    });
  });

  onNative('goes on with another system prompt, or none', async () => {
    await withSession(GREEDY, async ({ model, session, send }) => {
      const first = await send('a');
      for (const prompt of ['calm', undefined]) {
        session.setSystem(prompt);
        const before = [...session.conversation, user('b')];
        assert.equal(before.length, prompt === undefined ? 3 : 4);
        const expected = await generated(model, conversationIds(before, [first]), 1, GREEDY);
        assert.deepEqual((await send('b')).tokens, expected);
        session.reset();
        await send('a');
      }
    });
  });

  onNative('keeps its system prompt where the template has no place for another', async () => {
    const refusing = chatTemplate(
      "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}{{ m['content'] + eos_token }}{% endfor %}",
      tokenizer,
    );
    await withSession(
      GREEDY,
      async ({ session, send }) => {
        assert.throws(() => session.setSystem('calm'), /it refuses: .*no system here/);
        assert.equal(session.system, undefined);
        assert.equal((await send('a')).tokens.length > 0, true);
      },
      { own: refusing },
    );
  });

  onNative('refuses a template that ends answers with no mark', async () => {
    const endless = chatTemplate("{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}", tokenizer);
    await assert.rejects(
      withSession(GREEDY, async () => {}, { own: endless }),
      (error) => error instanceof UserError && /must end each answer, or generation would never stop/.test(error.message),
    );
  });

  onNative('keeps what an answer had when it was cancelled, and goes on from there', async () => {
    await withSession({ ...SAMPLED, maxTokens: 50 }, async ({ model, session, send }) => {
      const whole = await send('a');
      session.reset();
      const controller = new AbortController();
      let given = 0;
      const cut = await session.send('a', () => ++given === 4 && controller.abort(), controller.signal);
      assert.equal(cut.finishReason, 'cancelled');
      assert.ok(cut.tokens.length >= 4 && cut.tokens.length < whole.tokens.length);
      assert.deepEqual(cut.tokens, whole.tokens.slice(0, cut.tokens.length));
      const messages = [user('a'), assistant(cut.text)];
      assert.deepEqual(session.conversation, messages);
      const expected = await generated(model, conversationIds([...messages, user('b')], [cut]), 1, { ...SAMPLED, maxTokens: 50 });
      assert.deepEqual((await send('b')).tokens, expected);
    });
  });

  onNative('is as it was when it is cancelled before the first token, or the question is too long', async () => {
    await withSession(SAMPLED, async ({ session, send }) => {
      const first = await send('a');
      const cut = await session.send('b', undefined, AbortSignal.abort());
      assert.deepEqual([cut.finishReason, cut.tokens, cut.text], ['cancelled', [], '']);
      await session.regenerate(undefined, AbortSignal.abort());
      await assert.rejects(
        send('long '.repeat(100)),
        /must leave room for an answer in the context of 128 tokens; it has \d+\. Shorten it/,
      );
      assert.deepEqual(session.conversation, [user('a'), assistant(first.text)]);
    });
  });

  onNative('ends before a stop string, and goes on from the text before it', async () => {
    await withSession({ ...SAMPLED, maxTokens: 40 }, async ({ model, session, send }) => {
      const { text } = await send('a');
      const stop = text.slice(8, 10);
      const options = { ...SAMPLED, maxTokens: 40, stop: [stop] };
      const stopped = chatSession(model, template, options);
      const answer = await stopped.send('a');
      assert.deepEqual([answer.text, answer.finishReason, answer.stopString], [text.slice(0, text.indexOf(stop)).trimEnd(), 'stop', stop]);
      const ids = template.encode([user('a'), assistant(answer.text), user('b')], { addGenerationPrompt: true, known: new Map() }).ids;
      const expected = await generated(model, ids, 1, options);
      const { tokens } = await stopped.send('b');
      assert.deepEqual(tokens, expected.slice(0, tokens.length));
      stopped.dispose();
      assert.equal(session.conversation.length, 2);
    });
  });

  onNative('takes a template whose answers begin with a space, and still reads what is new alone', async () => {
    const vicuna = chatTemplate(NAMED_TEMPLATES.vicuna, tokenizer);
    await withSession(
      SAMPLED,
      async ({ send }) => {
        const first = await send('The sea?');
        const asked = vicuna.encode([user('The sea?')], { addGenerationPrompt: true }).ids;
        const { readTokens } = await send('fair');
        // Of the answer only its last token, if even that, is new.
        const literal = tokenizer.encode(' USER: fair ASSISTANT:').length;
        const mark = 1;
        assert.equal(first.readTokens, asked.length);
        assert.equal(readTokens, literal + mark + Number(first.finishReason !== 'stop'));
      },
      { own: vicuna, context: 512 },
    );
  });

  onNative('leaves nothing behind', async () => {
    const counts: number[] = [];
    for (let run = 0; run < 3; run++) {
      await withSession(SAMPLED, async ({ session, send }) => {
        await send('a');
        await send('b');
        await session.regenerate();
        session.setTemperature(0.5);
        await send('c');
        await session.send('d', undefined, AbortSignal.abort());
      });
      counts.push(tf.memory().numTensors, tf.memory().numDataBuffers);
    }
    assert.deepEqual(counts.slice(2, 4), counts.slice(4));
  });
});

describe('a chat that outgrows its context', () => {
  onDevices(['native', 'wasm'], 'goes on without its oldest turns, with its system prompt (truncate)', async () => {
    const options = { ...GREEDY, system: 'calm', contextLength: 64 };
    await withSession(options, async ({ model, session, send }) => {
      const messages: Message[] = [];
      const answers: ChatAnswer[] = [];
      const left: number[] = [];
      for (let turn = 0; turn < 6; turn++) {
        messages.push(user(`The moon ${turn}`));
        const answer = await send(`The moon ${turn}`);
        left.push(answer.left);
        const seen = [system('calm'), ...messages.slice(2 * answer.left)];
        const ids = conversationIds(seen, answers.slice(answer.left));
        assert.ok(ids.length + 9 <= 64, 'there is room for the answer');
        if (answer.left > 0) {
          const more = conversationIds([system('calm'), ...messages.slice(2 * answer.left - 2)], answers.slice(answer.left - 1));
          assert.ok(more.length + 9 > 64, 'and one turn more would not have left it');
        }
        assert.deepEqual(answer.tokens, await generated(model, ids, turn, options));
        answers.push(answer);
        messages.push(assistant(answer.text));
      }
      assert.equal(left[0], 0);
      assert.ok(left.at(-1)! > 1);
      assert.equal(session.conversation.length, 13, 'all is kept that was said');
    });
  });

  onNative('ends an answer at the end of the context (truncate)', async () => {
    await withSession({ ...SAMPLED, maxTokens: 500, contextLength: 40 }, async ({ send }) => {
      const answer = await send('a');
      assert.deepEqual([answer.finishReason, answer.seenTokens], ['length', 40]);
      const prompt = template.encode([user('a')], { addGenerationPrompt: true }).ids.length;
      assert.equal(answer.tokens.length, 40 - prompt + 1, 'the last one is given, and never seen');
      assert.deepEqual([(await send('b')).left], [1]);
    });
  });

  onDevices(
    ['native', 'wasm'],
    'slides over its tokens, within an answer too, and keeps the mark that begins it (sliding_window)',
    async () => {
      const options: ChatOptions = { ...GREEDY, maxTokens: 40, contextLength: 32, context: 'sliding_window' };
      await withSession(options, async ({ model, session, send }) => {
        const messages: Message[] = [];
        const answers: ChatAnswer[] = [];
        for (const question of ['The sea', 'fair 今晚大海 fair 今晚大海 fair 今晚大海']) {
          messages.push(user(question));
          const ids = conversationIds(messages, answers);
          const answer = await send(question);
          const expected: number[] = [];
          while (expected.length < answer.tokens.length) {
            const seen = [...slidWindow([...ids, ...expected], 32, 1)];
            expected.push(...(await generated(model, seen, 0, { ...options, maxTokens: 1 })));
          }
          assert.deepEqual(answer.tokens, expected);
          assert.ok(answer.left > 0 && answer.seenTokens <= 32);
          answers.push(answer);
          messages.push(assistant(answer.text));
        }
        assert.equal(session.conversation.length, 4);
      });
    },
  );

  onNative('goes on with what lies in the cache where the window stands still', async () => {
    const options: ChatOptions = { ...GREEDY, maxTokens: 30, contextLength: 64, context: 'sliding_window' };
    await withSession(options, async ({ send }) => {
      const reads: number[] = [];
      for (let turn = 0; turn < 12; turn++) reads.push((await send('a')).readTokens);
      assert.ok(reads.filter((count) => count <= 8).length >= 4, `${reads}`);
    });
  });

  onNative('sees at most what the model was made for', async () => {
    await assert.rejects(
      withSession({ ...GREEDY, contextLength: 129 }, async () => {}),
      /^UserError: chat: the context can have the tokens that the model was made for, 128, at most; received 129/,
    );
  });
});
