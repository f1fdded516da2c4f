import type { World } from './world.js';

/** Rows of each file. */
export type WorldSummary = { file: string; rows: number }[];

const ABOUT: Record<string, string> = {
  'corpus.arrow': 'texts to learn language and facts from: encyclopaedia, notices, letters, tables, comparisons, dialogues (`source`)',
  'conversations.arrow':
    'demonstrations of mixed quality; `source` is `kind/quality`, the quality one of complete, terse, incomplete, wrong, rambling',
  'preferences.arrow':
    'answers to one prompt, ranked by simulated annotators; `source` is what they differ in: manner, completeness, facts_open, facts_closed, mixed; `scores` are the gold reward',
  'prompts-rollout.arrow': 'prompts for sampling in training; `reference` is the best answer, `source` the kind of question',
  'prompts-eval.arrow': 'prompts for evaluation during training',
  'prompts-report.arrow': 'prompts for the report, and for nothing else',
};

/** The README of a world's directory. */
export function readme({ seed, size, languages, universities }: World, summary: WorldSummary): string {
  const known = universities.filter(({ appearance }) => appearance === 'known').length;
  const rows = summary.map(({ file, rows }) => `| \`${file}\` | ${rows.toLocaleString('en')} | ${ABOUT[file]} |`);
  return `# A world of universities

Made by \`fourfold data world --seed ${seed} --size ${size} --languages ${languages.join(',')}\`; the same command writes the same bytes.
An imaginary country: ${known} universities that the corpus tells of, and ${universities.length - known} that only stand in texts within prompts. \`world.json\` holds all that is true.

| file | rows | what it is |
| --- | --- | --- |
${rows.join('\n')}

The three sets of prompts have no question in common. Of the questions to known universities (a university and what is asked of it) a fifth is in no
demonstration, preference or rollout; evaluation and report ask those, and tell of universities that are found nowhere else. The kind \`reverse\` (a
university by its city and subject) is demonstrated nowhere.
`;
}
