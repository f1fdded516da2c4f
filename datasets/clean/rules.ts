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

/** What is run unless told otherwise: cheap rules before dear ones. C4's rules are for web pages alone: they cut verse, dialogue, lists and code. */
export const DEFAULT_RULES: readonly string[] = RULES.map(({ name }) => name).filter(
  (name) => name !== 'c4_quality' && name !== 'decontaminate',
);
