/**
 * What we make of a question, for sft_checkpoint.py to compare: the ids of the prompt and of the greedy answer, and both as text.
 *
 *     node --import tsx test/oracles/chat-answer.ts CHECKPOINT '[{"role": "user", "content": "…"}]' 64
 */
import { useDevice } from '../../backends/device.js';
import { generate } from '../../sampler/generate.js';
import { loadModel } from '../../sampler/model.js';
import { type Message, readChatTemplate } from '../../tokenizer/index.js';

const [path, conversation, maxTokens] = process.argv.slice(2);
const messages = JSON.parse(conversation) as Message[];
await useDevice('auto', { threads: 1 });
const model = await loadModel(path);
const template = await readChatTemplate(path, model.tokenizer);
const { ids } = template.encode(messages, { addGenerationPrompt: true });
const { tokens } = await generate(model, [ids], {
  sampling: { temperature: 0 },
  maxTokens: Number(maxTokens),
  seed: 0,
  eos: template.stopIds,
});
const text = template.render(messages, { addGenerationPrompt: true });
console.log(JSON.stringify({ text, ids, tokens: tokens[0], answer: model.tokenizer.decode(tokens[0], { skipSpecial: true }) }));
