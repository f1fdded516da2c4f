import { type Block, type Cell, missing, type Section, text } from './blocks.js';
import { NOTHING } from './numbers.js';
import { isRecord, type Run, type RunStep } from './read.js';

const EXPECTED = ['fourfold', 'code_sha256', 'node', 'platform', 'arch', 'processor', 'device', 'threads'];
/** What a stage's environment.json calls the same. */
const STAGE_NAMES: Readonly<Record<string, string>> = { processor: 'cpu' };

/** With what a run was made, and from what. */
export function provenanceSection(run: Run): Section {
  const { environment, steps, damaged, whole } = run;
  const facts = Object.entries(environment).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value));
  const absent = EXPECTED.filter((name) => environment[name] === undefined && environment[STAGE_NAMES[name] ?? ''] === undefined);
  return {
    id: 'provenance',
    title: 'Provenance',
    blocks: [
      ...damaged.map((what): Block => ({ type: 'warning', text: `not readable: ${what}` })),
      ...(facts.length > 0
        ? [
            {
              type: 'table' as const,
              header: ['', ''],
              rows: facts.map(([name, value]): Cell[] => [name.replaceAll('_', ' '), factCell(String(value))]),
            },
          ]
        : []),
      ...(absent.length > 0 ? [missing(absent.map((name) => name.replaceAll('_', ' ')).join(', '))] : []),
      ...(whole ? lineageBlocks(steps) : [seedBlock(steps[0])]),
    ],
  };
}

function lineageBlocks(steps: readonly RunStep[]): Block[] {
  const recorded = steps.filter(({ record }) => record !== undefined);
  if (recorded.length === 0) return [missing('lineage.json: which step had which inputs, and their hashes')];
  const files = steps.flatMap(({ name, record }) => [
    ...Object.entries(record?.inputs ?? {}).map(([key, sha]): Cell[] => [name, 'in', { text: key, code: true }, hashCell(sha)]),
    ...Object.entries(record?.outputs ?? {}).map(([key, { path, sha256 }]): Cell[] => [
      name,
      'out',
      { text: path ?? key, code: true },
      hashCell(sha256),
    ]),
  ]);
  return [
    text(
      'Hashes are SHA-256, shown by their first 12 digits; lineage.json has them whole. A step’s key is the hash of its configuration, the contents of its inputs and the code.',
    ),
    {
      type: 'table',
      header: ['step', 'seed', 'started', 'key'],
      rows: steps.map(({ name, record }) => [name, String(seedOf(record) ?? NOTHING), record?.started ?? NOTHING, hashCell(record?.key)]),
      align: ['left', 'right', 'left', 'left'],
    },
    ...(files.length > 0
      ? [{ type: 'table' as const, header: ['step', '', 'file', 'contents'], rows: files, folded: `Inputs and outputs (${files.length})` }]
      : []),
  ];
}

const seedOf = (record: RunStep['record']) => record?.seed ?? (isRecord(record?.config) ? record.config['seed'] : undefined);

function seedBlock({ config }: RunStep): Block {
  return typeof config['seed'] === 'number' ? text(`Seed ${config['seed']}.`) : missing('seed');
}

const SHOWN = 12;
const hashCell = (hash: string | undefined): Cell =>
  hash === undefined ? NOTHING : { text: hash.slice(0, SHOWN), whole: hash, code: true };
const factCell = (value: string): Cell => (/^[0-9a-f]{64}$/.test(value) ? hashCell(value) : value);
