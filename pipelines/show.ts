import { existsSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import type { WrittenReport } from '../evaluation/report/report.js';
import { table } from '../util/terminal.js';
import type { Plan } from './step.js';

/** The steps of a pipeline: from which others each takes something, and what it makes; then all configurations, complete. */
export function planText({ name, output_dir, steps }: Plan): string {
  const rows = steps.map(({ name, kind, references, outputs }, i) => [
    String(i + 1),
    name,
    kind.name,
    [...new Set(references.map(({ step }) => step))].join(', '),
    Object.keys(outputs).join(', '),
  ]);
  const configs = steps.map(({ name, config, directory }) => `# ${path.basename(directory)}\n${stringify({ [name]: config })}`);
  return [`${name} → ${output_dir}`, table(rows, { header: ['', 'step', 'kind', 'takes from', 'makes'] }), ...configs].join('\n\n');
}

/** What came of it, where the report is, and how to talk to what was trained. */
export function finishedText({ steps }: Plan, { html, verdict }: WrittenReport, command: string): string {
  const talk: Record<string, string> = { pretrain: 'sample', sft: 'chat', ppo: 'chat' };
  const lines = steps.flatMap(({ kind, name, outputs }) =>
    talk[kind.name] === undefined || !existsSync(outputs.checkpoint.path)
      ? []
      : [[`  ${command} ${talk[kind.name]} ${outputs.checkpoint.path}`, `# ${name}`]],
  );
  return [
    ...(verdict === undefined ? [] : [verdict]),
    `The report: ${html}`,
    ...(lines.length === 0 ? [] : ['Talk to each stage:', table(lines)]),
  ].join('\n');
}
