import path from 'node:path';
import type { z } from 'zod';
import type { ConfigKind } from '../configs/check.js';
import { PPO, PRETRAIN, REWARD, SFT, VERDICT } from '../configs/kinds.js';
import { selectStepKeys, selectStepSchema } from '../configs/select-schema.js';
import { cleanKeys, evalKeys, generateKeys, importKeys, prepareKeys, rankKeys, tokenizerKeys, worldKeys } from '../configs/step-keys.js';
import type { VerdictConfig } from '../configs/verdict-schema.js';
import { writeFileAtomic } from '../util/files.js';

/** What a step can make or need. `table`: of a kind that shows when it is made. */
export type Artifact =
  | 'world'
  | 'corpus'
  | 'conversations'
  | 'preferences'
  | 'prompts'
  | 'table'
  | 'generations'
  | 'tokens'
  | 'tokenizer'
  | 'language_model'
  | 'reward_model'
  | 'evaluation'
  | 'verdict';

export interface Output {
  type: Artifact;
  /** Within the directory of the step. */
  path: string;
}

/** What a step is given to run with. */
export interface StepContext {
  /** Where it writes. */
  directory: string;
  /** Whether it is to go on from what a run that was stopped has left there. */
  resume: boolean;
  signal: AbortSignal;
  /** What a person should hear. */
  say(text: string): void;
  /** How far it is. */
  progress(done: number, total: number, what: string): void;
}

/** A kind of step. */
export interface Kind<Config = unknown> extends ConfigKind<Config> {
  /** Keys that name what another step may have made, and what it must be. */
  takes: Readonly<Record<string, readonly Artifact[]>>;
  makes(): Readonly<Record<string, Output>>;
  run(config: Config, step: StepContext): Promise<void>;
}

const TEXT: readonly Artifact[] = ['corpus', 'tokens', 'table'];
const MODEL: readonly Artifact[] = ['language_model'];

const stage = <Config>(
  config: ConfigKind<Config>,
  takes: Kind['takes'],
  run: (config: Config, run: { directory: string; resume?: string }, signal: AbortSignal) => Promise<unknown>,
  type: Artifact = 'language_model',
): Kind<Config> => ({
  ...{ ...config, takes },
  makes: () => ({ checkpoint: { type, path: 'final' } }),
  run: async (config, { directory, resume, signal }) => {
    await run(config, { directory, resume: resume ? 'auto' : undefined }, signal);
  },
});

const pretrain = stage(
  PRETRAIN,
  { 'data.path': TEXT, 'tokenizer.path': ['tokenizer', 'language_model', 'tokens'], init_from: MODEL },
  async (...given) => (await import('../stages/pretrain.js')).pretrain(...given),
);

const sft = stage(
  SFT,
  { init_from: MODEL, 'data.path': ['conversations', 'tokens', 'table'], 'data.replay.path': TEXT },
  async (...given) => (await import('../stages/sft.js')).sft(...given),
);

const reward = stage(
  REWARD,
  {
    init_from: MODEL,
    'data.path': ['preferences', 'table'],
    'data.boundary': ['corpus', 'prompts', 'conversations', 'preferences', 'table'],
  },
  async (...given) => (await import('../stages/reward.js')).reward(...given),
  'reward_model',
);

const ppo = stage(
  PPO,
  {
    ...{ init_from: MODEL, 'reward.model': ['reward_model'], 'reward.world': ['world'] },
    ...{ 'data.path': ['prompts', 'conversations', 'table'], 'data.eval_path': ['prompts', 'conversations', 'table'], 'ptx.path': TEXT },
  },
  async (...given) => (await import('../stages/ppo.js')).ppo(...given),
);

const world: Kind<z.output<typeof worldKeys>> = {
  ...{ name: 'world', keys: worldKeys, schema: worldKeys, inputs: {}, takes: {} },
  makes: () => ({
    directory: { type: 'world', path: 'world' },
    corpus: { type: 'corpus', path: 'world/corpus.arrow' },
    conversations: { type: 'conversations', path: 'world/conversations.arrow' },
    preferences: { type: 'preferences', path: 'world/preferences.arrow' },
    prompts_rollout: { type: 'prompts', path: 'world/prompts-rollout.arrow' },
    prompts_eval: { type: 'prompts', path: 'world/prompts-eval.arrow' },
    prompts_report: { type: 'prompts', path: 'world/prompts-report.arrow' },
  }),
  async run(config, { directory, say }) {
    const { writeWorld } = await import('../datasets/world/write.js');
    const summary = await writeWorld({ ...config, output: path.join(directory, 'world'), overwrite: true });
    for (const { file, rows } of summary) say(`${file}: ${rows.toLocaleString('en')} rows`);
  },
};

const tokenizer: Kind<z.output<typeof tokenizerKeys>> = {
  ...{ name: 'tokenizer', keys: tokenizerKeys, schema: tokenizerKeys, inputs: { paths: 'correct the path' } },
  takes: { paths: ['corpus', 'conversations', 'prompts', 'preferences', 'table'] },
  makes: () => ({ tokenizer: { type: 'tokenizer', path: 'tokenizer.json' } }),
  async run({ paths, threads, ...options }, { directory, say, progress }) {
    const { trainTokenizerInWorkers } = await import('../tokenizer/index.js');
    const { saveTokenizer } = await import('../tokenizer/save.js');
    const { readTexts } = await import('../datasets/texts.js');
    const { defaultThreads } = await import('../util/workers.js');
    let rejected = 0;
    const texts = readTexts(paths, () => rejected++);
    const trained = await trainTokenizerInWorkers(
      texts,
      {
        ...camelKeys(options),
        onProgress: ({ phase, done, total }) =>
          total !== undefined && progress(done, total, phase === 'count' ? 'bytes counted' : 'pairs merged'),
      },
      threads ?? defaultThreads(),
    );
    await saveTokenizer(trained, path.join(directory, 'tokenizer.json'));
    say(`${trained.kind}: ${trained.vocabSize.toLocaleString('en')} tokens${rejected > 0 ? `; ${rejected} rows could not be used` : ''}`);
  },
};

const importStep: Kind<z.output<typeof importKeys>> = {
  ...{ name: 'import', keys: importKeys, schema: importKeys, inputs: { paths: 'correct the path' }, takes: { paths: ['table'] } },
  makes: () => ({ table: { type: 'table', path: 'table.arrow' } }),
  async run({ columns, ...config }, { directory, say }) {
    const { importData, parseColumns } = await import('../datasets/import.js');
    const output = path.join(directory, 'table.arrow');
    const named = columns === undefined ? undefined : parseColumns(columns);
    const summary = await importData({ ...config, columns: named, output, overwrite: true });
    say(`${summary.table}, ${'rows' in summary ? summary.rows : summary.documents} rows, ${summary.quarantined} could not be used`);
  },
};

const clean: Kind<z.output<typeof cleanKeys>> = {
  ...{ name: 'clean', keys: cleanKeys, schema: cleanKeys, inputs: { corpora: 'correct the path', against: 'correct the path' } },
  takes: { corpora: ['corpus', 'table'], against: ['corpus', 'conversations', 'prompts', 'table'] },
  makes: () => ({ corpus: { type: 'corpus', path: 'corpus.arrow' } }),
  async run(config, { directory, say }) {
    const { cleanCorpus } = await import('../datasets/clean/index.js');
    const { before, after } = await cleanCorpus({ ...config, output: path.join(directory, 'corpus.arrow'), overwrite: true });
    say(`${after.documents} of ${before.documents} documents, ${after.bytes} of ${before.bytes} bytes`);
  },
};

const prepare: Kind<z.output<typeof prepareKeys>> = {
  ...{ name: 'prepare', keys: prepareKeys, schema: prepareKeys, inputs: { corpora: 'correct the path', tokenizer: 'correct the path' } },
  takes: { corpora: ['corpus', 'table'], tokenizer: ['tokenizer', 'language_model', 'tokens'] },
  makes: () => ({ tokens: { type: 'tokens', path: 'tokens' }, tokenizer: { type: 'tokenizer', path: 'tokens/tokenizer.json' } }),
  async run({ tokenizer, kind, vocab_size, min_frequency, max_token_bytes, special_tokens, ...config }, step) {
    const { prepare } = await import('../datasets/prepare.js');
    const { readTokenizer } = await import('../tokenizer/index.js');
    const train = camelKeys({ kind, vocab_size, min_frequency, max_token_bytes, special_tokens });
    const { train: made, eval: held } = await prepare({
      ...camelKeys(config),
      tokenizer: tokenizer === undefined ? train : await readTokenizer(tokenizer),
      output: path.join(step.directory, 'tokens'),
      overwrite: true,
      signal: step.signal,
      say: step.say,
      onProgress: ({ phase, done, total }) => total !== undefined && step.progress(done, total, phase),
    });
    step.say(`train: ${made.tokens.toLocaleString('en')} tokens; eval: ${held.tokens.toLocaleString('en')} tokens`);
  },
};

const generate: Kind<z.output<typeof generateKeys>> = {
  ...{ name: 'generate', keys: generateKeys, schema: generateKeys, inputs: { checkpoint: 'correct the path', data: 'correct the path' } },
  takes: { checkpoint: MODEL, data: ['prompts', 'conversations', 'table'] },
  makes: () => ({ generations: { type: 'generations', path: 'generations.arrow' } }),
  async run({ checkpoint, ...config }, { directory, signal, say, progress }) {
    const { answerPrompts } = await import('../sampler/answers.js');
    const output = path.join(directory, 'generations.arrow');
    const onProgress = ({ answers, total }: { answers: number; total: number }) => progress(answers, total, 'answers');
    const summary = await answerPrompts(checkpoint, { ...camelKeys(config), output, overwrite: true, signal, say, onProgress });
    say(
      `${summary.answers.toLocaleString('en')} answers to ${summary.prompts.toLocaleString('en')} prompts, ${summary.dropped} prompts left out`,
    );
  },
};

const rank: Kind<z.output<typeof rankKeys>> = {
  ...{ name: 'rank', keys: rankKeys, schema: rankKeys, inputs: { generations: 'correct the path', world: 'correct the path' } },
  takes: { generations: ['generations'], world: ['world'], annotator: ['reward_model'] },
  makes: () => ({ preferences: { type: 'preferences', path: 'preferences.arrow' } }),
  async run({ generations, device, threads, precision, ...config }, { directory, say }) {
    const { rankAnswers } = await import('../evaluation/rank.js');
    const { rewardScorer } = await import('../evaluation/reward-model.js');
    const openScorer = (checkpoint: string) => rewardScorer(checkpoint, { device, threads, precision });
    const output = path.join(directory, 'preferences.arrow');
    const { rows, comparisons, ties } = await rankAnswers({ ...config, data: generations, output, overwrite: true }, { openScorer });
    say(`${rows.toLocaleString('en')} rankings, ${comparisons.toLocaleString('en')} comparisons, ${ties.toLocaleString('en')} ties`);
  },
};

const select: Kind<z.output<typeof selectStepSchema>> = {
  ...{ name: 'select', keys: selectStepKeys, schema: selectStepSchema },
  inputs: { data: 'correct the path', checkpoint: 'correct the path', tokenizer: 'correct the path', 'reward.model': 'correct the path' },
  takes: {
    ...{ data: ['conversations', 'table'], checkpoint: MODEL, tokenizer: ['tokenizer', 'language_model', 'tokens'] },
    'reward.model': ['reward_model'],
  },
  makes: () => ({ conversations: { type: 'conversations', path: 'conversations.arrow' } }),
  async run({ data, device, threads, precision, ...config }, { directory, say }) {
    const { selectConversations } = await import('../evaluation/select/index.js');
    const { selectionText } = await import('../evaluation/select/terminal.js');
    const output = path.join(directory, 'conversations.arrow');
    say(selectionText(await selectConversations({ table: data, output, config, overwrite: true, device, threads, precision })));
  },
};

const evalStep: Kind<z.output<typeof evalKeys>> = {
  ...{ name: 'eval', keys: evalKeys, schema: evalKeys, inputs: { checkpoint: 'correct the path', data: 'correct the path' } },
  takes: {
    checkpoint: ['language_model', 'reward_model'],
    data: ['conversations', 'preferences', 'corpus', 'tokens', 'table'],
  },
  makes: () => ({ evaluation: { type: 'evaluation', path: 'evaluation.json' } }),
  async run({ checkpoint, data, ...config }, { directory, signal, say, progress }) {
    const { evaluate } = await import('../evaluation/evaluate.js');
    const { evaluationText } = await import('../evaluation/show.js');
    const onProgress = (answers: number, total: number) => progress(answers, total, 'answers');
    const evaluations = await evaluate(checkpoint, data, { ...camelKeys(config), signal, onProgress });
    await writeFileAtomic(path.join(directory, 'evaluation.json'), `${JSON.stringify(evaluations, null, 2)}\n`);
    say(evaluations.map(evaluationText).join('\n\n'));
  },
};

const verdictStep: Kind<VerdictConfig> = {
  ...VERDICT,
  takes: {
    ...{ world: ['world'], data: ['prompts', 'table'], 'models.NAME.checkpoint': MODEL, reward: ['reward_model'] },
    ...{ conversations: ['conversations', 'table'], text: ['tokens'] },
  },
  makes: () => ({ verdict: { type: 'verdict', path: 'verdict.json' } }),
  async run(config, { directory, signal, say }) {
    const { verdict, writeVerdict } = await import('../evaluation/verdict.js');
    const { verdictText } = await import('../evaluation/verdict/show.js');
    const found = await verdict(config, { signal, onProgress: say });
    await writeVerdict(path.join(directory, 'verdict.json'), found);
    say(verdictText(found));
  },
};

/** Every kind of step, by the name that a pipeline calls it. */
export const KINDS: Readonly<Record<string, Kind>> = Object.fromEntries(
  [world, tokenizer, importStep, clean, prepare, pretrain, sft, reward, ppo, generate, rank, select, evalStep, verdictStep].map((kind) => [
    kind.name,
    kind as Kind, // a step's configuration is of its own kind: the plan pairs them
  ]),
);

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type CamelKeys<T> = { [K in keyof T as K extends string ? Camel<K> : K]: T[K] };

/** `max_tokens` → `maxTokens`: the functions of the library take their options so. */
function camelKeys<T extends object>(config: T): CamelKeys<T> {
  const camel = (key: string) => key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [camel(key), value])) as CamelKeys<T>;
}
