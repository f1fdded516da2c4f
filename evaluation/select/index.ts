import fs from 'node:fs/promises';
import path from 'node:path';
import type { SelectConfig } from '../../configs/select-schema.js';
import { ArrowFile, type Metadata, readMetadata } from '../../datasets/arrow.js';
import { conversationsBatch, conversationsSchema } from '../../datasets/conversations.js';
import type { ModelOptions } from '../../sampler/model.js';
import { UserError } from '../../util/errors.js';
import { atomicFile, exists, writeFileAtomic } from '../../util/files.js';
import { cutByRanking, cutBySample } from './budget.js';
import { fillExamples, keptExamples, type SelectReport, type StrategyReport, strategyReport } from './report.js';
import { Selection } from './selection.js';
import { strategyNamed } from './strategies.js';
import type { Figure, Outcome, Ranking, Rows } from './strategy.js';
import { openTools } from './tools.js';

export type { Example, SelectReport, StrategyReport } from './report.js';

export interface SelectOptions extends ModelOptions {
  /** Conversations, as the importers write them. */
  table: string;
  /** Table to write; the report lies beside it, see `reportPath`. */
  output: string;
  config: SelectConfig;
  /** Replace an output that is there. */
  overwrite?: boolean;
  /** Told what is being done. */
  onProgress?: (text: string) => void;
}

/** `few.arrow` → `few.select.json`. */
export function reportPath(output: string): string {
  return `${output.replace(/\.arrow$/, '')}.select.json`;
}

/**
 * Conversations → fewer of them, in the order of the table: the strategies are run one after another, each on what those before it left, and a budget
 * is kept at the end. The table is read anew for each, record batch by record batch; in memory stand its figures, and of `diversity` a vector a
 * conversation. The output does not depend on the number of threads and appears when it is complete.
 * @throws UserError when a file is not what it must be, the output exists, or nothing is left.
 */
export async function selectConversations(options: SelectOptions): Promise<SelectReport> {
  const { table, output, config, onProgress = () => {} } = options;
  await checkOutput(options);
  const selection = await Selection.of(table);
  let running = '';
  const tools = await openTools(table, config, options, (measured) => onProgress(`${running}: ${measured.toLocaleString('en')}`));
  const reports: StrategyReport[] = [];
  const figures: Figure[] = [];
  let ranking: Ranking | undefined;
  const apply = async (name: string, parameters: object, strategy: (rows: Rows) => Promise<Outcome>) => {
    const rows = selection.left;
    const outcome = await strategy(selection.rows);
    reports.push(strategyReport(name, parameters, rows, outcome, selection.sourceOf));
    figures.push(...outcome.figures);
    ranking = outcome.ranking ?? ranking;
    selection.drop(outcome.dropped.keys());
    if (selection.left.length === 0) throw nothingLeft(table, reports);
  };
  try {
    for (const name of config.strategies) {
      running = name;
      onProgress(name);
      const { parameters, strategy } = strategyNamed(name, config, tools);
      await apply(name, parameters, strategy);
    }
  } finally {
    tools.dispose();
  }
  const { budget, seed } = config;
  if (budget !== undefined && selection.left.length > budget) {
    const order = ranking;
    await apply('budget', { budget }, (rows) => (order ? cutByRanking(rows, budget, order) : cutBySample(rows, budget, seed)));
  }
  const report: SelectReport = {
    table: path.basename(table),
    output: path.basename(output),
    before: selection.size,
    after: selection.left.length,
    sources: selection.sources(),
    strategies: reports,
    kept: keptExamples(selection.left, figures, selection.sourceOf),
  };
  await write(selection, options, report, tools.facts);
  return report;
}

async function checkOutput({ table, output, overwrite = false }: SelectOptions): Promise<void> {
  if ((await fs.stat(output).catch(() => undefined))?.isDirectory())
    throw new UserError(
      `select: the output must be a file; ${output} is a folder. Name a file in it, such as ${path.join(output, 'few.arrow')}`,
    );
  if (path.resolve(table) === path.resolve(output))
    throw new UserError(`select: the output must be another file than the table; received ${output} for both. Choose another`);
  for (const file of [output, reportPath(output)]) {
    if (!overwrite && (await exists(file))) throw new UserError(`select: ${file} exists already. Choose another, or say --overwrite`);
  }
}

function nothingLeft(table: string, reports: readonly StrategyReport[]): UserError {
  const drops = reports
    .filter(({ dropped }) => dropped > 0)
    .map(({ strategy, dropped, examples }) => `${strategy} ${dropped.toLocaleString('en')} (such as: ${examples[0].reason})`);
  return new UserError(
    `select: at least one conversation must be left; of ${reports[0].rows.toLocaleString('en')} in ${table} the strategies dropped all: ${drops.join(', ')}. Change their parameters, or leave one out`,
  );
}

/** Writes the table and the report, and takes the texts of the report's examples on the way. */
async function write(selection: Selection, { table, output, config }: SelectOptions, report: SelectReport, facts: object): Promise<void> {
  const examples = [...report.strategies.flatMap((strategy) => strategy.examples), ...report.kept];
  const schema = conversationsSchema(await metadataOf(table, config, report, facts), { weighted: selection.weighted });
  await atomicFile(output, async (temporary) => {
    const file = new ArrowFile(temporary, schema);
    try {
      for await (const batch of selection.batches()) {
        for (const row of batch) fillExamples(examples, row);
        const rows = batch.filter(({ row }) => selection.isLeft(row));
        if (rows.length > 0) await file.write(conversationsBatch(schema, rows));
      }
      await file.close();
    } finally {
      await file.abandon();
    }
  });
  await writeFileAtomic(reportPath(output), `${JSON.stringify(report, null, 2)}\n`);
}

/** What the table says of itself, and what it was selected with: now, and before. */
async function metadataOf(table: string, { budget, seed }: SelectConfig, { strategies }: SelectReport, facts: object): Promise<Metadata> {
  const given = await readMetadata(table);
  const earlier = given.get('selected_with');
  const asked = strategies.filter(({ strategy }) => strategy !== 'budget').map(({ strategy, parameters }) => ({ strategy, parameters }));
  const now = { strategies: asked, ...(budget !== undefined && { budget, seed }), ...facts };
  return new Map([...given, ['selected_with', JSON.stringify([...(earlier === undefined ? [] : [earlier].flatMap(parsedOrText)), now])]]);
}

/** What another program wrote there, if anything, is kept as it is. */
function parsedOrText(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
