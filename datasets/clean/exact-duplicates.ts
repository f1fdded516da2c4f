import { createHash } from 'node:crypto';
import { corpusRule } from './rule.js';

/**
 * Documents with the same bytes; the first stays. They are compared by the first 128 bits of their SHA-256: among 10⁹ different documents the
 * chance that any two agree is 10⁻²¹.
 */
export const exactDuplicates = corpusRule({
  name: 'exact_duplicates',
  about: 'the same text as an earlier document',
  source: 'SHA-256, 128 bits',
  parameters: {},
  keyWords: 4,
  light: true,
  start() {
    const key = new Uint32Array(4);
    return ({ bytes }, add) => {
      const digest = createHash('sha256').update(bytes).digest();
      for (let i = 0; i < 4; i++) key[i] = digest.readUInt32LE(4 * i);
      add(key);
    };
  },
  reason: (_, bytes) => `the same ${bytes.toLocaleString('en')} bytes`,
});
