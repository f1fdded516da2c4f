import { SPECIAL_TOKENS, UNKNOWN_WORD } from './special-tokens.js';
import type { Tokenizer } from './tokenizer.js';

/**
 * The chat template (Jinja), the same in training and serving: bos, then for each message its role token, content and eos;
 * the generation prompt is the assistant's role token.
 */
export const CHAT_TEMPLATE =
  "{{ '<|bos|>' }}{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|eos|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

/** The contents of tokenizer_config.json; without special tokens there is no chat template. Another's is what was read, but for the length. */
export function tokenizerConfig(tokenizer: Tokenizer, contextLength: number): object {
  if (tokenizer.config !== undefined) return { ...tokenizer.config, model_max_length: contextLength };
  const token = (name: string, id: number) => (id < 0 ? {} : { [`${name}_token`]: tokenizer.tokenOf(id) });
  const { bos, eos, pad } = tokenizer.special;
  const isOurs = SPECIAL_TOKENS.every((special, id) => tokenizer.tokenOf(id) === special);
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: contextLength,
    clean_up_tokenization_spaces: false,
    ...token('bos', bos),
    ...token('eos', eos),
    ...token('pad', pad),
    ...(isOurs ? { chat_template: CHAT_TEMPLATE } : {}),
    ...(tokenizer.kind === 'word' ? { unk_token: UNKNOWN_WORD } : {}),
  };
}
