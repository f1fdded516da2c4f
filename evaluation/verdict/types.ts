import type { GoldScore } from '../../datasets/world/gold.js';
import type { Interval } from '../intervals.js';

/** What models are worth, side by side: what `verdict.json` holds. A number that was not measured, or means nothing there, is absent. */
export interface Verdict {
  prompts: { path: string; count: number };
  seed: number;
  /** Name of the model that divergence and win rate are against. */
  reference: string;
  /** In the order of the configuration. */
  models: Record<string, VerdictModel>;
  /** Some prompts, evenly over their kinds, with what each model answered at temperature 1. */
  examples: VerdictExample[];
}

export interface VerdictModel {
  checkpoint: string;
  /** How it was asked, in words. */
  how: string;
  /** At temperature 1. */
  gold_reward: Interval;
  /** Of held-out conversations, nats a token of the answers. */
  eval_loss?: number;
  /** Of held-out pretraining text. */
  text_bits_per_byte?: number;
  /** The best of n has no greedy answer. */
  decodings: { sampled: Decoded; greedy?: Decoded };
}

/** What the answers of a model to all prompts are, one a prompt. */
export interface Decoded {
  temperature: number;
  gold_reward: Interval;
  /** Means of the parts of the gold reward. */
  parts: GoldParts;
  /** Gold reward by kind of prompt. */
  by_kind: Record<string, Interval>;
  /** The reward model's, normalised: the proxy. */
  score?: Interval;
  /** Share that is the prompt's reference, normalised (`normalisedMatch`); absent where no prompt has one. */
  exact_match?: number;
  /** Nats an answer from the reference model; of answers that are drawn. */
  kl?: Interval;
  /** Nats a token; of answers that are drawn. */
  entropy?: number;
  /** Different tokens, and pairs of neighbours, as a part of all there are. */
  distinct_1: number;
  distinct_2: number;
  /** Tokens, the mark that ends it included. */
  response_length: number;
  /** Share of the answers that ended by themselves. */
  ended: number;
  /** Share of the prompts to which the gold reward is above the reference model's; equal ones count half. Absent for the reference itself. */
  win_rate?: Interval;
}

export type GoldParts = Omit<GoldScore, 'total'>;

export interface VerdictExample {
  prompt: string;
  source: string;
  reference?: string;
  answers: Record<string, { text: string; gold: number; parts: GoldParts; score?: number; ended: boolean }>;
}
