import path from 'node:path';
import type { SftConfig } from '../configs/sft-schema.js';
import type { ChatTemplate, Message, Tokenizer } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { exists, makeFolder } from '../util/files.js';
import { readConversations, splitKey } from './conversations.js';
import { type Dataset, readDataset } from './dataset.js';
import { isHeldOut } from './documents.js';
import { importData } from './import.js';
import { type Mixture, mixtureWeights } from './mixture.js';
import { conversationSettings, prepareConversations, REPLAY } from './prepare-conversations.js';
import { prepareTraining } from './training.js';

export interface TrainingConversations {
  /** Directory of prepared tokens. */
  tokens: string;
  dataset: Dataset;
  /** Weight of each source, where the configuration gives them or text is replayed. */
  mixture?: Mixture;
  /** Directory of the prepared text that is replayed. */
  replay?: string;
  /** The first questions that are held out, or the first of all where none is: each with what stands before it. */
  questions: Message[][];
}

export interface TrainingConversationsOptions {
  /** Checkpoint of the tokenizer. */
  checkpoint: string;
  tokenizer: Tokenizer;
  template: ChatTemplate;
  contextLength: number;
  /** Take what is in `directory` from before: the run goes on. */
  reuse: boolean;
  say: (text: string) => void;
  signal?: AbortSignal;
}

const QUESTIONS = 3;

/**
 * What a configuration's `data` says, ready to be loaded: conversations imported where they are no tables yet, encoded with their masks, and the text
 * to replay prepared.
 * @param directory of prepared tokens, to be written; tables and replayed text go beside it.
 * @throws UserError for data that cannot be used; where the run goes on, for settings other than it began with.
 */
export async function trainingConversations(
  config: SftConfig,
  directory: string,
  options: TrainingConversationsOptions,
): Promise<TrainingConversations> {
  const { data, seed } = config;
  const { tokenizer, template, contextLength, say } = options;
  await makeFolder(path.dirname(directory));
  const tables = await tablesOf(data.path, directory, options);
  const settings = { ...data, template, contextLength };
  const replay =
    data.replay && (await preparedText({ path: data.replay.path, evalFraction: data.eval_fraction, seed }, `${directory}.replay`, options));
  if (!options.reuse || !(await exists(path.join(directory, 'dataset.json')))) {
    const wanted = (trainTokens: number) => {
      const { batch_size: B, gradient_accumulation_steps: accumulated, max_steps: steps } = config;
      const fraction = data.replay!.fraction;
      return steps === undefined
        ? (trainTokens * config.epochs! * fraction) / (1 - fraction)
        : steps * accumulated * B * contextLength * fraction;
    };
    const { conversations: counts } = await prepareConversations({
      ...settings,
      paths: tables,
      tokenizer,
      output: directory,
      seed,
      replay: replay === undefined ? undefined : { directory: replay, tokens: wanted },
    });
    if (counts!.dropped > 0)
      say(
        `${counts!.dropped} of ${counts!.rows} conversations left out: longer than ${contextLength} tokens (data.overlong: ${data.overlong})`,
      );
    if (counts!.truncated > 0)
      say(`${counts!.truncated} of ${counts!.rows} conversations cut to ${contextLength} tokens (data.overlong: ${data.overlong})`);
  }
  const dataset = await readDataset(directory);
  checkSettings(dataset, settings, directory);
  return {
    tokens: directory,
    dataset,
    mixture: mixtureOf(dataset, config),
    replay,
    questions: await questionsOf(tables, data.eval_fraction),
  };
}

/** The tables of conversations that paths lead to, imported where they are none yet. */
async function tablesOf(paths: readonly string[], directory: string, { reuse, say }: TrainingConversationsOptions): Promise<string[]> {
  const tables: string[] = [];
  for (const [i, given] of paths.entries()) {
    if (path.extname(given).toLowerCase() === '.arrow') {
      tables.push(given);
      continue;
    }
    const table = `${directory}.conversations-${i}.arrow`;
    tables.push(table);
    if (reuse && (await exists(table))) continue;
    const imported = await importData({ paths: [given], output: table, overwrite: true });
    if (imported.table !== 'conversations') throw noConversations(given, imported.table);
    if (imported.quarantined > 0) say(`${imported.quarantined} bad rows set aside in ${imported.quarantine}`);
  }
  return tables;
}

function noConversations(given: string, table: string): UserError {
  return new UserError(
    `fine-tuning: data.path must lead to conversations; ${given} is read as a table of ${table}. Import it yourself, naming its format or columns (fourfold data import --help)`,
  );
}

/** The directory of prepared text: the one that is named, or one made of the text that is named, a document a blank line or a row. */
export async function preparedText(
  { path: named, evalFraction, seed }: { path: string; evalFraction: number; seed: number },
  directory: string,
  options: Pick<TrainingConversationsOptions, 'checkpoint' | 'reuse' | 'say' | 'signal'>,
): Promise<string> {
  const text = { path: named, columns: { text: 'text' }, eval_fraction: evalFraction, packing: 'segments', sampling: 'epoch' } as const;
  const { tokens } = await prepareTraining(
    {
      data: { ...text, document: /\.arrow$/i.test(named) ? 'row' : 'blank_line', split: 'hash' },
      tokenizer: { path: options.checkpoint },
      seed,
    },
    directory,
    options,
  );
  return tokens;
}

/** Each source's part of the rows: as the configuration says, or as much as there is of it; replayed text has its fraction of all. */
function mixtureOf({ sources, train }: Dataset, { data }: SftConfig): Mixture | undefined {
  const tokens = new Map(sources.map((source, i) => [source, train.sources[i].tokens]));
  const own = sources.filter((source) => !source.startsWith(REPLAY));
  if (data.replay === undefined) return data.mixture;
  const { mixture, replay } = data;
  if (mixture) mixtureWeights(mixture, own, 'the conversations'); // which says what is wrong with it
  const weightOf = (source: string) => mixture?.[source] ?? tokens.get(source)!;
  const sum = (names: readonly string[], weight: (source: string) => number) => names.reduce((total, name) => total + weight(name), 0);
  const replayed = sources.filter((source) => source.startsWith(REPLAY));
  const [ownSum, replayedSum] = [sum(own, weightOf), sum(replayed, (source) => tokens.get(source)!)];
  return Object.fromEntries([
    ...own.map((source) => [source, ((1 - replay.fraction) * weightOf(source)) / ownSum]),
    ...replayed.map((source) => [source, (replay.fraction * tokens.get(source)!) / replayedSum]),
  ]);
}

function checkSettings({ conversations }: Dataset, settings: Parameters<typeof conversationSettings>[0], directory: string): void {
  const expected = conversationSettings(settings);
  const different = Object.entries(expected).filter(([key, value]) => conversations?.[key as keyof typeof expected] !== value);
  if (different.length === 0) return;
  throw new UserError(
    `resume: the conversations in ${directory} must be prepared as the configuration says; they differ in ${different.map(([key]) => key).join(', ')}. Resume with the configuration of the run, or begin a new one`,
  );
}

async function questionsOf(tables: readonly string[], evalFraction: number): Promise<Message[][]> {
  const each = Math.ceil(QUESTIONS / tables.length);
  const found = await Promise.all(tables.map((table) => firstQuestions(table, each, evalFraction)));
  return found.flat().slice(0, QUESTIONS);
}

async function firstQuestions(table: string, count: number, evalFraction: number): Promise<Message[][]> {
  const questions: Message[][] = [];
  for await (const rows of readConversations(table)) {
    for (const { messages } of rows) {
      if (evalFraction > 0 && !isHeldOut(splitKey(messages), evalFraction)) continue;
      const answer = messages.findIndex(({ role }) => role === 'assistant');
      questions.push(messages.slice(0, answer));
      if (questions.length === count) return questions;
    }
  }
  return questions;
}
