export { CHAT_TEMPLATE, tokenizerConfig } from './chat-template.js';
export { loadTokenizer, readTokenizer } from './load.js';
export { SPECIAL_TOKENS } from './special-tokens.js';
export type { DecodeOptions, StreamingDecoder, Tokenizer } from './tokenizer.js';
export { TokenizerTrainer, type TrainOptions, trainTokenizer } from './train.js';
