import path from 'node:path';
import { ArrowFile, type Metadata } from '../datasets/arrow.js';
import { type Prompt, readPrompts, splitKey, wrongRoles } from '../datasets/conversations.js';
import { isHeldOut } from '../datasets/documents.js';
import { type Answer, type Generation, generationsBatch, generationsSchema } from '../datasets/generations.js';
import { type ChatTemplate, readChatTemplate } from '../tokenizer/index.js';
import { UserError, writeError } from '../util/errors.js';
import { atomicFile, errorCode, exists, sha256File } from '../util/files.js';
import { philox } from '../util/random.js';
import { AnswerJournal, type Entry } from './answer-journal.js';
import { generate, type Sampling } from './generate.js';
import { type LoadedModel, type ModelOptions, openModel } from './model.js';
import { answerText } from './output.js';

export interface AnswerOptions extends ModelOptions, Sampling {
  /** A table of prompts, or of conversations: then what stands before each last answer. */
  data: string;
  /** Arrow file to write. */
  output: string;
  /** Answers to each prompt. */
  num: number;
  /** Of one answer, the mark that ends it included. */
  maxTokens: number;
  /** Below 2^32; see `answerSeed`. */
  seed: number;
  /** An answer ends before the first of these. */
  stop?: readonly string[];
  /** A chat template in place of the checkpoint's: a name or a file. */
  template?: string;
  /** Put before prompts that have no system message. */
  system?: string;
  /** Which prompts: all of them, or those that the hash of their first question puts into a part. */
  split?: 'all' | 'train' | 'eval';
  evalFraction?: number;
  /** The first ones only. */
  limit?: number;
  /** What to do with prompts that fill the context. */
  overlong?: 'error' | 'drop';
  /** Answers that are made at the same time. They do not depend on it. */
  batchSize?: number;
  /** Replace an earlier output; it stays until the new one is complete. */
  overwrite?: boolean;
  /** Stops the work; what is finished is kept. */
  signal?: AbortSignal;
  onProgress?: (progress: AnswerProgress) => void;
  /** What a person should hear. */
  say?: (text: string) => void;
}

export interface AnswerProgress {
  /** Answers that are finished, of all there are to be. */
  answers: number;
  total: number;
  /** Drawn by this process so far. */
  tokens: number;
}

export interface AnswerSummary {
  prompts: number;
  /** Prompts that were left out because they fill the context. */
  dropped: number;
  answers: number;
  /** Of all answers. */
  tokens: number;
  /** Answers that ended by themselves or at a stop string; the others were cut. */
  stopped: number;
  /** Of all answers. */
  logProb: number;
  /** Tokens that this process drew, and what that took, the reading of the prompts included. */
  drawn: { tokens: number; seconds: number };
  first: Generation;
}

const FORMAT = 1; // of the answers: work begun with another is not gone on with
const WINDOW_ANSWERS = 4096;

/**
 * Answers prompts with a model: a table of them in, a table of generations out, a row a prompt. The output appears when it is complete; until
 * then what is finished is in `.NAME.generating` beside it: stopped at any moment, the same call goes on from there and gives the same bytes.
 * @throws UserError for what is wrong with options, data, checkpoint or disk; an AbortError when the signal stopped it.
 */
export async function answerPrompts(checkpoint: string, options: AnswerOptions): Promise<AnswerSummary> {
  const output = path.resolve(options.output);
  checkOptions(options);
  await checkOutput(output, options);
  const model = await openModel(checkpoint, options);
  try {
    const template = await readChatTemplate(model.directory, model.tokenizer, options.template);
    const survey = await surveyPrompts(model, template, options);
    const journal = await AnswerJournal.open(output);
    try {
      await checkOutput(output, options); // another process may have been faster
      return await answerIn(journal, model, template, survey, options);
    } catch (error) {
      throw explained(error, journal, options);
    } finally {
      await journal.close();
    }
  } finally {
    model.dispose();
  }
}

/**
 * The seed of an answer: the prompt alone, as the first row of its table, with this seed gives this answer as its first. The first answer to the
 * first row has `seed` itself; the others are that plus a number drawn for their place, so that runs with other seeds share none.
 */
export function answerSeed(seed: number, row: number, index: number): number {
  const drawn = (row: number, index: number) => philox([row >>> 0, Math.floor(row / 2 ** 32)], [index, 0, 0, 0x414e5357])[0];
  return (seed + drawn(row, index) - drawn(0, 0)) >>> 0;
}

async function answerIn(
  journal: AnswerJournal,
  model: OpenModel,
  template: ChatTemplate,
  survey: Survey,
  options: AnswerOptions,
): Promise<AnswerSummary> {
  const { num, onProgress, say = () => {} } = options;
  const inputs = await inputsOf(model, template, options);
  const { finished, anew } = await journal.begin(inputs);
  if (anew) say('what an earlier command has finished was made of other data, another model or with other options: starting anew');
  const total = survey.prompts * num;
  if (finished > 0) say(`going on after ${finished.toLocaleString('en-US')} of ${total.toLocaleString('en-US')} answers`);
  const { prompts, dropped } = survey;
  const sum: Omit<AnswerSummary, 'first'> = {
    ...{ prompts, dropped: dropped.size, answers: 0, tokens: 0, stopped: 0, logProb: 0 },
    drawn: { tokens: 0, seconds: 0 },
  };
  let first: Generation | undefined;
  const schema = generationsSchema(metadataOf(inputs));

  await atomicFile(options.output, async (temporary) => {
    const file = new ArrowFile(temporary, schema);
    try {
      let number = 0;
      for await (const rows of windows(keptRows(options, survey.dropped), Math.max(1, Math.floor(WINDOW_ANSWERS / num)))) {
        // 1. What was finished before, and the rest.
        const entries = await journal.read(number);
        const show = () => onProgress?.({ answers: sum.answers + entries.length, total, tokens: sum.drawn.tokens });
        show();
        const log = journal.append(number++);
        try {
          await answerRest(model, template, rows, entries, options, sum.drawn, (entry) => {
            log.write(entry);
            entries.push(entry);
            show();
          });
        } finally {
          log.close();
        }

        // 2. In the order of the data.
        const written = generations(rows, entries, num);
        for (const { answers } of written) addUp(sum, answers);
        first ??= written[0];
        await file.write(generationsBatch(schema, written));
      }
      await file.close();
    } finally {
      await file.abandon();
    }
  });
  await journal.discard();
  return { ...sum, first: first! };
}

/** Makes the answers to the rows of a window that are not there yet. */
async function answerRest(
  model: OpenModel,
  template: ChatTemplate,
  rows: readonly NumberedPrompt[],
  finished: readonly Entry[],
  options: AnswerOptions,
  drawn: AnswerSummary['drawn'],
  onEntry: (entry: Entry) => void,
): Promise<void> {
  const { num, maxTokens, seed, stop = [], temperature, topK, topP, minP, repetitionPenalty, batchSize, signal } = options;
  const there = new Set(finished.map(({ row, index }) => `${row}/${index}`));
  const missing = rows.flatMap(({ row, prompt }) => {
    const indices = Array.from({ length: num }, (_, index) => index).filter((index) => !there.has(`${row}/${index}`));
    const ids = indices.length === 0 ? [] : template.encode(prompt, { addGenerationPrompt: true }).ids;
    return indices.map((index) => ({ row, index, ids, seed: answerSeed(seed, row, index) }));
  });
  const answerOf = () => ({ text: '', output: answerText(model.tokenizer, { stopIds: template.stopIds, stop, maxTokens }) });
  const running = new Map<number, ReturnType<typeof answerOf>>();
  const began = performance.now();
  await generate(
    model,
    missing.map(({ ids }) => ids),
    {
      sampling: { temperature, topK, topP, minP, repetitionPenalty },
      ...{ maxTokens, eos: template.stopIds, seed: missing.map((one) => one.seed), batchSize, pastContext: 'stop', signal },
      onFinished(i, { tokens, logProbs, finishReason }) {
        const { text, output } = running.get(i)!;
        running.delete(i);
        const logProb = Math.fround(logProbs.reduce((a, b) => a + b, 0));
        const { row, index, seed } = missing[i];
        onEntry({ row, index, text: text + output.end(), finishReason, logProb, tokens: tokens.length, seed });
      },
    },
    (i, token) => {
      const answer = running.get(i) ?? answerOf();
      running.set(i, answer);
      answer.text += answer.output.push(token);
      drawn.tokens++;
      return answer.output.finishReason === 'stop';
    },
  );
  drawn.seconds += (performance.now() - began) / 1000;
}

type OpenModel = Awaited<ReturnType<typeof openModel>>;

interface NumberedPrompt extends Prompt {
  /** In the data. */
  row: number;
}

/** The prompts that are asked for, those that fill the context among them. */
async function* selectedRows({ data, split = 'all', evalFraction = 0.1, system, signal }: AnswerOptions): AsyncGenerator<NumberedPrompt> {
  let row = 0;
  for await (const batch of readPrompts(data)) {
    signal?.throwIfAborted();
    for (const read of batch) {
      const own = { ...read, row: row++ };
      if (split !== 'all' && isHeldOut(splitKey(read.prompt), evalFraction) !== (split === 'eval')) continue;
      if (system !== undefined && read.prompt[0].role !== 'system') own.prompt = [{ role: 'system', content: system }, ...read.prompt];
      yield own;
    }
  }
}

/** Those that are answered. */
async function* keptRows(options: AnswerOptions, dropped: ReadonlySet<number>): AsyncGenerator<NumberedPrompt> {
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  for await (const row of selectedRows(options)) {
    if (dropped.has(row.row)) continue;
    if (left-- <= 0) return;
    yield row;
  }
}

async function* windows<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let window: T[] = [];
  for await (const item of items) {
    window.push(item);
    if (window.length < size) continue;
    yield window;
    window = [];
  }
  if (window.length > 0) yield window;
}

interface Survey {
  /** To be answered. */
  prompts: number;
  /** Rows that fill the context. */
  dropped: Set<number>;
}

/**
 * Reads all prompts once, so that what is wrong with one is said before any is answered.
 * @throws UserError
 */
async function surveyPrompts({ config }: LoadedModel, template: ChatTemplate, options: AnswerOptions): Promise<Survey> {
  const { data, limit = Number.POSITIVE_INFINITY, overlong = 'error', split = 'all' } = options;
  const context = config.max_position_embeddings;
  const survey: Survey = { prompts: 0, dropped: new Set() };
  const wrong: string[] = [];
  const lengths: string[] = [];
  for await (const { row, prompt } of selectedRows(options)) {
    if (survey.prompts >= limit) break;
    const problem = wrongRoles(
      prompt.map(({ role }) => role),
      'user',
    );
    if (problem !== undefined) {
      wrong.push(`row ${row}: ${problem}`);
      continue;
    }
    const length = promptLength(template, prompt, row, data);
    if (length < context) survey.prompts++;
    else {
      survey.dropped.add(row);
      lengths.push(`row ${row} of ${length}`);
    }
  }
  if (wrong.length > 0) {
    throw new UserError(
      `generate: a prompt must be messages of which the last is the user's; ${some(wrong)} in ${data}. Correct them or leave them out`,
    );
  }
  if (lengths.length > 0 && overlong === 'error') {
    throw new UserError(
      `generate: a prompt must be shorter than the model's context of ${context} tokens, so that an answer can follow; received ${some(lengths)} in ${data}. Shorten them, or leave them out with --overlong drop`,
    );
  }
  if (survey.prompts > 0) return survey;
  const which = split === 'all' ? '' : ` of the part ${split}`;
  const left = lengths.length > 0 ? `, but for ${lengths.length} that fill the context` : '';
  throw new UserError(`generate: there must be prompts${which} in ${data}; received none${left}. Look at it with fourfold data inspect`);
}

function promptLength(template: ChatTemplate, prompt: NumberedPrompt['prompt'], row: number, data: string): number {
  try {
    return template.encode(prompt, { addGenerationPrompt: true }).ids.length;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`generate: row ${row} of ${data}: ${error.message}`, 1, { cause: error });
  }
}

/** The first ones of a list, and how many there are in all. */
function some(list: readonly string[]): string {
  const shown = list.slice(0, 5).join(', ');
  return list.length > 5 ? `${shown} … (${list.length} in all)` : shown;
}

/** Everything that the answers depend on. */
async function inputsOf(model: OpenModel, template: ChatTemplate, options: AnswerOptions) {
  const {
    data,
    num,
    maxTokens,
    seed,
    stop = [],
    system,
    split = 'all',
    evalFraction = 0.1,
    limit,
    overlong = 'error',
    precision = 'fp32',
  } = options;
  const { temperature, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 } = options;
  const { device, isa } = model.on;
  return {
    FORMAT,
    source_sha256: await sha256File(data),
    model_sha256: await sha256File(path.join(model.directory, 'model.safetensors')),
    config: model.config,
    tokenizer_sha256: model.tokenizer.hash(),
    chat_template: template.source,
    device: [device, isa, precision].filter(Boolean).join(' '),
    sampling: { temperature, top_k: topK, top_p: topP, min_p: minP, repetition_penalty: repetitionPenalty, max_tokens: maxTokens, stop },
    ...{ seed, num, system, overlong, limit },
    split: split === 'all' ? split : { split, evalFraction },
  };
}

function metadataOf(inputs: Awaited<ReturnType<typeof inputsOf>>): Metadata {
  const { source_sha256, model_sha256, tokenizer_sha256, chat_template, device, sampling, seed } = inputs;
  return new Map([
    ['importer', 'generate'],
    ...Object.entries({ source_sha256, model_sha256, tokenizer_sha256, chat_template, device }),
    ['sampling', JSON.stringify(sampling)],
    ['seed', String(seed)],
  ]);
}

/** The answers of a window, in the order of the data. */
function generations(rows: readonly NumberedPrompt[], entries: readonly Entry[], num: number): Generation[] {
  const found = new Map(entries.map(({ row, index, ...answer }) => [`${row}/${index}`, answer]));
  return rows.map(({ row, ...prompt }) => ({
    ...prompt,
    answers: Array.from({ length: num }, (_, index) => found.get(`${row}/${index}`)!),
  }));
}

function addUp(sum: Omit<AnswerSummary, 'first'>, answers: readonly Answer[]): void {
  for (const { tokens, logProb, finishReason } of answers) {
    sum.answers++;
    sum.tokens += tokens;
    sum.logProb += logProb;
    sum.stopped += Number(finishReason === 'stop');
  }
}

function checkOptions({ num, temperature, seed }: AnswerOptions): void {
  if (num > 1 && temperature === 0) {
    throw new UserError(
      `--num: at temperature 0 all answers to a prompt are the same; received ${num}; leave --num out or raise --temperature`,
    );
  }
  if (!(seed < 2 ** 32)) throw new UserError(`--seed: it must be below 2^32, so that each answer's seed can be one; received ${seed}`);
}

async function checkOutput(output: string, { output: name, overwrite = false }: AnswerOptions): Promise<void> {
  if (overwrite || !(await exists(output))) return;
  throw new UserError(`generate: ${name} exists already. Choose another output, or say --overwrite`);
}

/** An error of the system (a full disk, a file that is gone), said with what is finished and how to go on; another error as it is. */
function explained(error: unknown, journal: AnswerJournal, { output }: AnswerOptions): unknown {
  if (!(error instanceof Error) || (errorCode(error) ?? errorCode(error.cause)) === undefined) return error;
  const said = writeError(output, error);
  if (!(said instanceof UserError)) return said;
  return new UserError(`${said.message}. What is finished is kept in ${journal.directory}: the same command goes on from there`, 1, {
    cause: error,
  });
}
