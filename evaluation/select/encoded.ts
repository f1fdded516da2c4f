import type { ModelConfig } from '../../model/config.js';
import type { Parameters } from '../../model/parameters.js';
import type { ChatTemplate, EncodedChat, Tokenizer } from '../../tokenizer/index.js';
import { UserError } from '../../util/errors.js';
import type { RewardModel } from '../reward-model.js';
import type { Drop, Row, Rows } from './strategy.js';

/** What makes tokens of a conversation. */
export interface Encoder {
  /** The table, for errors. */
  table: string;
  tokenizer: Tokenizer;
  template: ChatTemplate;
  /** Most tokens of a conversation, where something says. */
  contextLength?: number;
}

/** A model to measure conversations with. */
export interface Measurer extends Encoder {
  model: { config: ModelConfig; parameters: Parameters };
  contextLength: number;
  /** Called with the number of conversations that are measured. */
  onProgress(measured: number): void;
}

/** A reward model to judge answers with. */
export interface Judge extends Encoder {
  rewardModel: RewardModel;
  contextLength: number;
  onProgress(measured: number): void;
}

/** A conversation in tokens; `supervised` marks the answers and the marks that end them. */
export interface EncodedRow extends EncodedChat {
  row: number;
}

const WINDOW_TOKENS = 1 << 17;

/** @throws UserError that names the row, where the template refuses it. */
export function encodeRow({ template, table }: Encoder, { row, messages }: Row): EncodedRow {
  try {
    return { row, ...template.encode(messages) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`select: row ${row} of ${table}: ${error.message}`, 1, { cause: error });
  }
}

/** Tokens of the answers, with the marks that end them. */
export function answerTokens({ supervised }: EncodedChat): number {
  return supervised.reduce((sum, one) => sum + one, 0);
}

/**
 * Hands the conversations to `measure` in windows of about 131,072 tokens.
 * @returns those that the model cannot measure, by row: longer than its context, or without an answer.
 */
export async function measureWindows(
  rows: Rows,
  measurer: Pick<Measurer, 'contextLength' | 'onProgress'> & Encoder,
  measure: (window: readonly EncodedRow[]) => Promise<void>,
): Promise<Map<number, Drop>> {
  const dropped = new Map<number, Drop>();
  let window: EncodedRow[] = [];
  let tokens = 0;
  let measured = 0;
  const flush = async () => {
    await measure(window);
    measured += window.length;
    measurer.onProgress(measured);
    window = [];
    tokens = 0;
  };
  for await (const row of rows()) {
    const encoded = encodeRow(measurer, row);
    const drop = unmeasured(encoded, measurer.contextLength);
    if (drop) {
      dropped.set(row.row, drop);
      continue;
    }
    window.push(encoded);
    tokens += encoded.ids.length;
    if (tokens >= WINDOW_TOKENS) await flush();
  }
  if (window.length > 0) await flush();
  return dropped;
}

function unmeasured(encoded: EncodedRow, contextLength: number): Drop | undefined {
  const { length } = encoded.ids;
  if (length > contextLength)
    return { rule: `longer than the context of ${contextLength}`, reason: `${length} tokens > ${contextLength} of the context` };
  return answerTokens(encoded) === 0 ? { rule: 'no answer', reason: 'nobody answers' } : undefined;
}
