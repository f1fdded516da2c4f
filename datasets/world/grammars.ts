import { chinese } from './chinese.js';
import { english } from './english.js';
import type { Grammar } from './grammar.js';
import type { Language } from './words.js';

export const grammars: Record<Language, Grammar> = { en: english, zh: chinese };
