import { UserError } from '../util/errors.js';
import { BytePairTokenizer } from './byte-pair.js';
import { BYTE_ALPHABET, BYTE_CHARACTERS } from './bytes.js';
import { PairQueue } from './pair-queue.js';
import { SPECIAL_TOKENS } from './special-tokens.js';
import type { CountedWords } from './word-counts.js';
import { GROUP_SHIFT, type WordTokens, wordTokens } from './word-tokens.js';
