import type { ChatTemplate, Message } from '../tokenizer/index.js';

/** A response behind its prompt, in tokens, up to the mark that ends it. */
export interface AnswerTokens {
  ids: number[];
  /** Where the response begins. */
  from: number;
}

/** What a reward model reads to score a response. @throws UserError where the template refuses the messages. */
export function answerTokens(template: ChatTemplate, prompt: readonly Message[], response: string): AnswerTokens {
  const { ids, supervised } = template.encode([...prompt, { role: 'assistant', content: response }], { trainOn: 'last_assistant' });
  return { ids: ids.slice(0, supervised.lastIndexOf(1) + 1), from: supervised.indexOf(1) };
}
