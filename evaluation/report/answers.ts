/** The same prompts, answered by each model of the verdict. */
import { missing, type Section, text } from './blocks.js';
import { type Run, verdictOf } from './read.js';
import { modelLabel } from './verdict.js';

export function answersSection(run: Run): Section {
  const verdict = verdictOf(run);
  const title = 'The same prompts, answered by each model';
  const examples = verdict?.examples ?? [];
  if (!verdict || examples.length === 0) return { id: 'answers', title, blocks: [missing('answers of the models to the same prompts')] };
  const models = Object.keys(verdict.models);
  const questions = examples.map(({ answers, ...example }) => {
    const order = [...models.filter((key) => Object.hasOwn(answers, key)), ...Object.keys(answers).filter((key) => !models.includes(key))];
    return {
      ...example,
      source: example.source?.replaceAll('_', ' '),
      answers: order.map((key) => ({ model: modelLabel(key), ...answers[key] })),
    };
  });
  return {
    id: 'answers',
    title,
    blocks: [
      text('At temperature 1. The bar is the gold reward, from 0 to 1; the score is the reward model’s.'),
      { type: 'answers', questions },
    ],
  };
}
