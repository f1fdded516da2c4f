import { UserError } from '../util/errors.js';

/** What leaves where a conversation outgrows the context: `truncate`: its oldest turns; `sliding_window`: its oldest tokens. */
export const CONTEXT_MODES = ['truncate', 'sliding_window'] as const;
export type ContextMode = (typeof CONTEXT_MODES)[number];

/** Tokens that `truncate` keeps free for an answer: as many as it may have, but a quarter of the context at most. */
export function answerRoom(maxTokens: number, limit: number): number {
  return Math.min(maxTokens, Math.max(1, Math.floor(limit / 4)));
}

/**
 * `truncate`: how many of the oldest turns (a question and its answer) leave so that the rest and an answer fit. The last turn, which is the
 * question to be answered, stays, and so does what stands before all turns; where these two leave less room than is wanted, all others leave.
 * @param turns         number of turns, the question included.
 * @param lengthWithout tokens of the conversation without its n oldest turns; no greater for a greater n.
 * @param limit         tokens of the context.
 * @param room          tokens wanted for the answer.
 * @throws UserError when the question leaves no room for a single token.
 */
export function turnsToLeave(turns: number, lengthWithout: (n: number) => number, limit: number, room: number): number {
  const last = turns - 1;
  const least = lengthWithout(last);
  if (least >= limit) {
    throw new UserError(
      `chat: a message, with the system prompt and the template around it, must leave room for an answer in the context of ${limit} tokens; it has ${least}. Shorten it, or take --context sliding_window`,
    );
  }
  let [few, enough] = [0, last];
  while (few < enough) {
    const middle = (few + enough) >> 1;
    if (lengthWithout(middle) + room <= limit) enough = middle;
    else few = middle + 1;
  }
  return enough;
}

/**
 * `sliding_window`: how many of the tokens after the first `head` leave so that `length` tokens fit in `limit`. They leave by half windows, so that a
 * text that grows has what it keeps read anew only once in so many tokens, and is seen the same wherever it stopped in between.
 */
export function tokensToLeave(length: number, limit: number, head: number): number {
  const step = Math.max(1, Math.floor((limit - head) / 2));
  return Math.max(0, Math.ceil((length - limit) / step)) * step;
}

/** The tokens that are seen of `ids`. */
export function slidWindow(ids: readonly number[], limit: number, head: number): readonly number[] {
  const leave = tokensToLeave(ids.length, limit, head);
  return leave === 0 ? ids : [...ids.slice(0, head), ...ids.slice(head + leave)];
}
