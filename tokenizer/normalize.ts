import { codePointClass } from './regex.js';
import { NFC_ACTIVE, NFC_FIRST } from './unicode.js';

/** What is done to a text before it is cut into words. */
export type Normalizer = (text: string) => string;

let pattern: RegExp | undefined;

/** Unicode's normal form C of the characters in the pinned tables; newer ones stay as they are, whatever the engine knows of them. */
export const nfc: Normalizer = (text) => {
  if (text.normalize('NFC') === text) return text; // most text; what the engine leaves, the older rules leave, too
  pattern ??= new RegExp(`[${codePointClass(NFC_FIRST)}]?[${codePointClass(NFC_ACTIVE)}]+`, 'gu');
  return text.replace(pattern, (characters) => characters.normalize('NFC'));
};
