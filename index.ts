/** The library's entry: what `import … from 'fourfold'` gives. */
export { DEVICES, type DeviceDescription, useDevice } from './backends/device.js';
export { loadCheckpoint, resolveCheckpoint } from './checkpoints/load.js';
export {
  loadPpoConfig,
  loadPretrainConfig,
  loadRewardConfig,
  loadSelectConfig,
  loadSftConfig,
  loadVerdictConfig,
  resolvePpoConfig,
  resolvePretrainConfig,
  resolveRewardConfig,
  resolveSelectConfig,
  resolveSftConfig,
  resolveVerdictConfig,
} from './configs/load.js';
export type { PpoConfig, PpoInput } from './configs/ppo-schema.js';
export type { RewardConfig, RewardInput } from './configs/reward-schema.js';
export type { PretrainConfig, PretrainInput } from './configs/schema.js';
export type { SelectConfig } from './configs/select-schema.js';
export type { SftConfig, SftInput } from './configs/sft-schema.js';
export type { VerdictConfig, VerdictInput } from './configs/verdict-schema.js';
export { type CleanOptions, type CleanReport, cleanCorpus } from './datasets/clean/index.js';
export type { Dataset } from './datasets/dataset.js';
export {
  type ChatSummary,
  type ImportOptions,
  type ImportSummary,
  importCorpus,
  importData,
  type PreferenceSummary,
  type ReadOptions,
  readDocuments,
} from './datasets/import.js';
export { type PrepareOptions, prepare } from './datasets/prepare.js';
export { type PreparedPreferences, preparePreferences, type RankedTokens } from './datasets/prepare-preferences.js';
export { ANNOTATORS, type Annotator, rankByGold, simulatedRanks } from './datasets/world/annotators.js';
export { type Gold, type GoldScore, openGold } from './datasets/world/gold.js';
export { type WorldOptions, writeWorld } from './datasets/world/write.js';
export { type EvaluateOptions, evaluate } from './evaluation/evaluate.js';
export type { ConversationEvaluation, Evaluation, PreferenceEvaluation, TextEvaluation } from './evaluation/evaluation.js';
export { meanPooledStates } from './evaluation/mean-pooled-states.js';
export { type RankOptions, type RankSummary, rankAnswers } from './evaluation/rank.js';
export { type WrittenReport, writeReport } from './evaluation/report/report.js';
export type { Answered } from './evaluation/reward-function.js';
export { loadRewardModel, type RewardModel, scoreResponses } from './evaluation/reward-model.js';
export { type SelectOptions, type SelectReport, selectConversations } from './evaluation/select/index.js';
export { type Verdict, type VerdictModel, verdict, writeVerdict } from './evaluation/verdict.js';
export { flopsPerToken, type ModelConfig, parameterCount } from './model/config.js';
export { languageModelLoss, languageModelLosses, logits } from './model/heads.js';
export { initialParameters, type Parameters } from './model/parameters.js';
export { type Batch, type ForwardOptions, forward } from './model/transformer.js';
export { type Precision, setPrecision } from './ops/precision.js';
export { loadPlan } from './pipelines/plan.js';
export { type RunOptions, runPipeline } from './pipelines/run.js';
export type { Plan, Step } from './pipelines/step.js';
export { type AnswerOptions, type AnswerSummary, answerPrompts } from './sampler/answers.js';
export { type BeamOptions, beamSearch, type Hypothesis } from './sampler/beam.js';
export { type ChatAnswer, type ChatOptions, type ChatSession, chatSession } from './sampler/chat.js';
export { type Decoder, decoder } from './sampler/decoder.js';
export { type Generated, type GenerateOptions, generate, type Sampling } from './sampler/generate.js';
export { type LoadedModel, loadModel, type TextModel } from './sampler/model.js';
export { type OnText, sampleText, streamText, type TextOptions } from './sampler/sample.js';
export { ppo } from './stages/ppo.js';
export { pretrain } from './stages/pretrain.js';
export { reward } from './stages/reward.js';
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
