import { SPECIAL_TOKENS, UNKNOWN_WORD } from './special-tokens.js';
import type { Tokenizer } from './tokenizer.js';

/**
 * The chat template (Jinja), the same in training and serving: bos, then for each message its role token, content and eos;
 * the generation prompt is the assistant's role token.
 */
export const CHAT_TEMPLATE =
  "{{ '<|bos|>' }}{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|eos|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

/** The contents of tokenizer_config.json; without special tokens there is no chat template. */
export function tokenizerConfig(tokenizer: Tokenizer, contextLength: number): object {
  const [bos, eos, pad] = SPECIAL_TOKENS;
  const special = tokenizer.special.bos < 0 ? {} : { bos_token: bos, eos_token: eos, pad_token: pad, chat_template: CHAT_TEMPLATE };
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: contextLength,
    clean_up_tokenization_spaces: false,
    ...special,
    ...(tokenizer.kind === 'word' ? { unk_token: UNKNOWN_WORD } : {}),
  };
}
