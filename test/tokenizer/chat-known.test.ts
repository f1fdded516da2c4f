import assert from 'node:assert/strict';
import { CHAT_TEMPLATE } from '../../tokenizer/chat-template.js';
import { chatTemplate, type Message, NAMED_TEMPLATES, trainTokenizer } from '../../tokenizer/index.js';

const tokenizer = trainTokenizer(['The sea is calm tonight. USER: ASSISTANT: Hello there, hello again. 今晚'], {
  kind: 'bpe',
  vocabSize: 320,
});
const { eos } = tokenizer.special;

describe('a conversation whose answers are known by their ids', () => {
  for (const [name, source] of Object.entries({
    fourfold: CHAT_TEMPLATE,
    alpaca: NAMED_TEMPLATES.alpaca,
    vicuna: NAMED_TEMPLATES.vicuna,
  })) {
    const template = chatTemplate(source, tokenizer);
    const question: Message[] = [{ role: 'user', content: 'The sea?' }];
    const prompt = template.encode(question, { addGenerationPrompt: true }).ids;

    // Ids that no encoding gives: every character by itself.
    for (const answer of [' Hello', 'Hello']) {
      it(`goes on as the model saw it, "${answer}" after the prompt: ${name}`, () => {
        const ids = [...answer].flatMap((character) => tokenizer.encode(character));
        assert.notDeepEqual(ids, tokenizer.encode(answer));
        const messages: Message[] = [...question, { role: 'assistant', content: answer.trim() }];
        const encoded = template.encode(messages, { known: new Map([[1, ids]]) });
        assert.deepEqual(encoded.ids, [...prompt, ...ids, eos]);
        assert.deepEqual(Array.from(encoded.supervised), [...prompt.map(() => 0), ...ids.map(() => 1), 1]);
      });
    }
  }
});
