import type { Message } from '../tokenizer/index.js';
import type { BestOfN } from './best-of-n.js';
import type { RewardMetrics } from './reward-metrics.js';

/** What a language model makes of some texts. Losses are means over the predicted tokens, in nats. */
export interface TextScores {
  /** Predicted ones. */
  tokens: number;
  loss: number;
  perplexity: number;
  bits_per_byte: number;
  /** Share of the predicted tokens that are the likeliest one. */
  token_accuracy: number;
}

/** How many of a model's greedy answers are the expected ones. */
export interface AnswerScores {
  answers: number;
  /** Shares of the answers. */
  exact_match: number;
  normalised_match: number;
  /** Share of the answers that ended by themselves. */
  finished: number;
}

/** Which rows of a table. */
export type Part = 'all' | 'train' | 'eval';

/** Of prepared tokens or a corpus. */
export interface TextEvaluation {
  kind: 'text';
  data: string;
  part: Part;
  all: TextScores;
  sources: Record<string, TextScores>;
}

export interface ConversationEvaluation {
  kind: 'conversations';
  data: string;
  part: Part;
  conversations: number;
  /** Of those, longer than the context, and left out. */
  too_long: number;
  all: TextScores & Partial<AnswerScores>;
  sources: Record<string, TextScores & Partial<AnswerScores>>;
  /** The first ones. */
  examples: AnswerExample[];
}

export interface AnswerExample {
  prompt: Message[];
  reference: string;
  answer: string;
  match: 'exact' | 'normalised' | 'none';
}

/** Of a reward model. */
export interface PreferenceEvaluation {
  kind: 'preferences';
  data: string;
  part: Part;
  rows: number;
  /** Of those: without a comparison, and with an answer that does not fit into the context; both are left out. */
  without_comparison: number;
  too_long: number;
  metrics: RewardMetrics;
  /** Of an ensemble: mean over the answers of the standard deviation of its members' scores. */
  spread?: number;
  /** How far the answers lie from the training data: mean distance, and the share beyond 95 of 100 of held-out training-like ones. */
  boundary?: { distance: number; outside: number };
  /** Where the table has gold scores. */
  best_of_n?: BestOfN[];
}

export type Evaluation = TextEvaluation | ConversationEvaluation | PreferenceEvaluation;
