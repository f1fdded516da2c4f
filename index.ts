/** The library's entry: what `import … from 'fourfold'` gives. */
export { DEVICES, type DeviceDescription, useDevice } from './backends/device.js';
export { loadCheckpoint, resolveCheckpoint } from './checkpoints/load.js';
export { loadPretrainConfig, loadSftConfig, resolvePretrainConfig, resolveSftConfig } from './configs/load.js';
export type { PretrainConfig, PretrainInput } from './configs/schema.js';
export type { SftConfig, SftInput } from './configs/sft-schema.js';
export { type CleanOptions, type CleanReport, cleanCorpus } from './datasets/clean/index.js';
export type { Dataset } from './datasets/dataset.js';
export {
  type ChatSummary,
  type ImportOptions,
  type ImportSummary,
  importCorpus,
  importData,
  type ReadOptions,
  readDocuments,
} from './datasets/import.js';
export { type PrepareOptions, prepare } from './datasets/prepare.js';
export { flopsPerToken, type ModelConfig, parameterCount } from './model/config.js';
export { languageModelLoss, languageModelLosses, logits } from './model/heads.js';
export { initialParameters, type Parameters } from './model/parameters.js';
export { type Batch, type ForwardOptions, forward } from './model/transformer.js';
export { type Precision, setPrecision } from './ops/precision.js';
export { type AnswerOptions, type AnswerSummary, answerPrompts } from './sampler/answers.js';
export { type BeamOptions, beamSearch, type Hypothesis } from './sampler/beam.js';
export { type ChatAnswer, type ChatOptions, type ChatSession, chatSession } from './sampler/chat.js';
export { type Decoder, decoder } from './sampler/decoder.js';
export { type Generated, type GenerateOptions, generate, type Sampling } from './sampler/generate.js';
export { type LoadedModel, loadModel, type TextModel } from './sampler/model.js';
export { type OnText, sampleText, streamText, type TextOptions } from './sampler/sample.js';
export { pretrain } from './stages/pretrain.js';
export { sft } from './stages/sft.js';
export {
  type ChatTemplate,
  loadTokenizer,
  type Message,
  readChatTemplate,
  readTokenizer,
  type Tokenizer,
  type TrainOptions,
  trainTokenizer,
} from './tokenizer/index.js';
export type { StageResult } from './training/run-directory.js';
export { ShapeError, UserError } from './util/errors.js';
