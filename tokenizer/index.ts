export {
  type ChatEncodeOptions,
  type ChatTemplate,
  chatTemplate,
  type EncodedChat,
  type Message,
  ROLES,
  type TrainOn,
} from './chat.js';
export { CHAT_TEMPLATE, tokenizerConfig } from './chat-template.js';
export { type EncodedBatch, encodeBatches } from './encode-batches.js';
export { IdList } from './id-list.js';
export { loadTokenizer, readTokenizer } from './load.js';
export { readChatTemplate, templateOf } from './read-chat-template.js';
export { SPECIAL_TOKENS } from './special-tokens.js';
export { NAMED_TEMPLATES, type NamedTemplate } from './templates.js';
export { type TextBatch, textBatches, wordsBegin } from './text-batch.js';
export type { DecodeOptions, EncodeOptions, SpecialIds, StreamingDecoder, Tokenizer } from './tokenizer.js';
export { TokenizerTrainer, type TrainOptions, type TrainProgress, trainTokenizer, trainTokenizerInWorkers } from './train.js';
