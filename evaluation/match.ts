/** Whether two answers are the same text, white space around them aside. */
export function exactMatch(answer: string, reference: string): boolean {
  return answer.trim() === reference.trim();
}

/** Whether two answers are the same when `normalised`. */
export function normalisedMatch(answer: string, reference: string): boolean {
  return normalised(answer) === normalised(reference);
}

/**
 * An answer without what does not make it right or wrong: compatibility forms (NFKC: full-width letters are letters), case, punctuation, the English
 * articles, and white space, of which one between words is left and none beside a Chinese character.
 * Source: SQuAD's `normalize_answer` (Rajpurkar et al. 2016), whose ASCII punctuation is Unicode's here.
 */
export function normalised(answer: string): string {
  return answer
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\p{P}$+<=>^`|~]/gu, '')
    .replace(/\b(a|an|the)\b/gu, ' ')
    .replace(/\s+/gu, ' ')
    .replace(/(?<=\p{Script=Han}) | (?=\p{Script=Han})/gu, '')
    .trim();
}
