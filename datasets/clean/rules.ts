import { c4Quality } from './c4-quality.js';
import { decontaminate } from './decontaminate.js';
import { exactDuplicates } from './exact-duplicates.js';
import { gopherQuality } from './gopher-quality.js';
import { language } from './language.js';
import { nearDuplicates } from './near-duplicates.js';
import { repeatedLines, repeatedNgrams } from './repetition.js';
import type { Rule } from './rule.js';
import { scrubContacts } from './scrub-contacts.js';

/** Every rule there is, in the order in which it is best to run them. */
export const RULES: readonly Rule[] = [
  exactDuplicates,
  decontaminate,
  language,
  c4Quality,
  gopherQuality,
  repeatedLines,
  repeatedNgrams,
  scrubContacts,
  nearDuplicates,
];

/**
 * What is run unless told otherwise: what is right for any text. The others were made for web pages: Gopher's drop short questions and answers, sums,
 * and books of more than 100,000 words, C4's cut verse, dialogue and lists.
 */
export const DEFAULT_RULES: readonly string[] = ['exact_duplicates', 'language', 'repeated_lines', 'scrub_contacts', 'near_duplicates'];
