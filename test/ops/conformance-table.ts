/** Gathers what the conformance tests of this process found, and prints it after the last one: ops × devices. */
import { after } from 'mocha';

interface Cell {
  passed: number;
  failed: number;
  /** Seconds. */
  seconds: number;
  /** The largest error, as a share of what its tolerance allows. */
  worst: number;
  /** The most roundings a term that a tolerance allowed. */
  c: number;
}

const cells = new Map<string, Map<string, Cell>>();
const absent = new Map<string, string>();
let current: Cell | undefined;

/** Runs one test of `op` on `device` and counts it. */
export async function counted(op: string, device: string, test: () => Promise<void>): Promise<void> {
  const row = cells.get(op) ?? new Map<string, Cell>();
  cells.set(op, row);
  const cell = row.get(device) ?? { passed: 0, failed: 0, seconds: 0, worst: 0, c: 0 };
  row.set(device, cell);
  current = cell;
  const began = performance.now();
  try {
    await test();
    cell.passed++;
  } catch (error) {
    cell.failed++;
    throw error;
  } finally {
    cell.seconds += (performance.now() - began) / 1000;
    current = undefined;
  }
}

/** Notes the largest error of a comparison, as a share of its tolerance. */
export function noteError(share: number, c: number): void {
  if (!current) return;
  current.worst = Math.max(current.worst, share);
  current.c = Math.max(current.c, c);
}

/** Notes why a device is not there. */
export function noteAbsent(device: string, reason: string): void {
  absent.set(device, reason);
}

function describe({ passed, failed, seconds, worst, c }: Cell): string {
  const tolerance = c > 0 ? `, ${Math.round(100 * worst)} % of c=${c}` : '';
  return `${failed > 0 ? `${failed} FAILED, ` : ''}${passed} ok${tolerance}, ${seconds.toFixed(1)} s`;
}

after(() => {
  const devices = [...new Set([...cells.values()].flatMap((row) => [...row.keys()]))];
  if (devices.length === 0) return;
  const rows = [
    ['op', ...devices],
    ...[...cells].map(([op, row]) => [op, ...devices.map((device) => (row.has(device) ? describe(row.get(device)!) : ''))]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  console.log('\n  Conformance: tests that passed, the largest error as a share of the tolerance c·eps·√K·scale, seconds\n');
  for (const row of rows) console.log(`  ${row.map((text, column) => text.padEnd(widths[column])).join('  ')}`.trimEnd());
  for (const [device, reason] of absent) console.log(`  ${device}: not here: ${reason}`);
});
