import { join } from 'node:path';
import { writeFileAtomic } from '../../util/files.js';
import { answersSection } from './answers.js';
import type { Section } from './blocks.js';
import { fineTuningSection } from './fine-tuning.js';
import { ppoSection } from './ppo.js';
import { pretrainingSection } from './pretraining.js';
import { provenanceSection } from './provenance.js';
import { type Run, readRun } from './read.js';
import { resourcesSection } from './resources.js';
import { rewardSection } from './reward.js';
import { verdictSection } from './verdict.js';

export interface WrittenReport {
  html: string;
  markdown: string;
  /** The verdict in a sentence, where the run is a pipeline's. */
  verdict?: string;
}

/**
 * Writes `report.html` and `report.md` into the directory of a pipeline or a stage, in place of those that are there.
 * @throws UserError where it is none.
 */
export async function writeReport(directory: string): Promise<WrittenReport> {
  const { reportPage } = await import('./html.js'); // draws, and loads what that needs
  const { reportMarkdown } = await import('./markdown.js');
  const run = await readRun(directory);
  const sections = sectionsOf(run);
  const [html, markdown] = [join(directory, 'report.html'), join(directory, 'report.md')];
  await writeFileAtomic(html, reportPage(run.name, aboutRun(run), sections));
  await writeFileAtomic(markdown, reportMarkdown(run.name, aboutRun(run), sections));
  const lead = sections.flatMap(({ blocks }) => blocks).find((block) => block.type === 'lead');
  return { html, markdown, verdict: lead?.text };
}

const PARTS: Record<string, ((run: Run) => Section)[]> = {
  pretrain: [pretrainingSection],
  sft: [fineTuningSection],
  reward: [rewardSection],
  ppo: [ppoSection],
  verdict: [verdictSection, answersSection],
};

/** The parts of a report: all of them for a pipeline, its own for a single stage. */
export function sectionsOf(run: Run): Section[] {
  const every = [verdictSection, answersSection, pretrainingSection, fineTuningSection, rewardSection, ppoSection];
  const parts = run.whole ? every : partsOf(run);
  return [...parts, resourcesSection, provenanceSection].map((part) => part(run));
}

function partsOf({ steps: [{ kind, evaluations }] }: Run): ((run: Run) => Section)[] {
  if (kind !== 'eval') return PARTS[kind] ?? [];
  const measured = new Set(evaluations.map(({ kind }) => ({ text: 'pretrain', conversations: 'sft', preferences: 'reward' })[kind]));
  return [...measured].flatMap((stage) => PARTS[stage]);
}

/** What a run is, in one line. */
export function aboutRun({ whole, steps, environment }: Run): string {
  const what = whole
    ? `A pipeline of ${steps.length} ${steps.length === 1 ? 'step' : 'steps'}: ${steps.map(({ name }) => name).join(' → ')}`
    : `A stage: ${steps[0].kind}`;
  const fourfold = environment['fourfold'];
  return `${what}${typeof fourfold === 'string' ? `. fourfold ${fourfold}` : ''}`;
}
