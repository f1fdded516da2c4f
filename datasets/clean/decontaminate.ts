import { type EvaluationIndex, findShared } from './evaluation-index.js';
import { documentRule } from './rule.js';

/**
 * Documents that share a 13-gram of terms with an evaluation set: 13 words, or 20 Chinese characters, or a mixture that weighs as much. A text of
 * an evaluation set that is shorter counts as a whole, from 8 words (12 characters) on; what is shorter still is not looked for.
 * Source: Brown et al. 2020, "Language models are few-shot learners", appendix C.
 */
export const decontaminate = documentRule({
  name: 'decontaminate',
  about: 'shares a 13-gram with an evaluation set (--against)',
  source: 'Brown et al. 2020, appendix C',
  parameters: {
    words: { default: 13, least: 1, most: 100, whole: true, meaning: 'Words in an n-gram; of Chinese 1.5 times as many characters.' },
    min_words: {
      default: 8,
      least: 1,
      most: 100,
      whole: true,
      meaning: 'Fewest words of an evaluation text that is looked for as a whole.',
    },
  },
  start(_, resource) {
    const find = findShared(resource as EvaluationIndex);
    return (document) => {
      const shared = find(document.words);
      if (shared === undefined) return undefined;
      const text = document.text(document.words.start[shared.from], document.words.end[shared.to - 1]);
      return `shares ${shared.to - shared.from} words with ${shared.file}, row ${shared.row}: ${JSON.stringify(text)}`;
    };
  },
});
