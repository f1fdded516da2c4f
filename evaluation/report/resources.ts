import { type Block, type Cell, missing, type Section, text } from './blocks.js';
import { bytes, count, duration, NOTHING } from './numbers.js';
import type { Run, RunStep } from './read.js';

const secondsOf = ({ record, summary }: RunStep) => record?.seconds ?? summary?.seconds;
const memoryOf = ({ record, summary }: RunStep) => record?.peak_memory_bytes ?? summary?.peak_memory_bytes;

/** Time, speed and memory, a row each step. */
export function resourcesSection({ steps, whole }: Run): Section {
  const times = steps.map(secondsOf);
  const longest = Math.max(0, ...times.filter((time) => time !== undefined));
  const total = times.reduce((sum: number, time) => sum + (time ?? 0), 0);
  const most = steps.map(memoryOf).filter((memory) => memory !== undefined);
  const rows = steps.map((step): Cell[] => {
    const [seconds, { record, summary }] = [secondsOf(step), step];
    return [
      step.name,
      ...(whole ? [step.kind, record?.state ?? NOTHING] : []),
      duration(seconds),
      { text: '', bar: seconds === undefined || longest === 0 ? 0 : seconds / longest },
      count(summary?.tokens),
      count(summary?.tokens_per_second),
      bytes(memoryOf(step)),
    ];
  });
  const lacking = (what: string, of: (step: RunStep) => number | undefined): Block[] => {
    const names = steps.filter((step) => of(step) === undefined).map(({ name }) => name);
    return names.length > 0 ? [missing(`${what} of ${names.join(', ')}`)] : [];
  };
  const failed = steps.flatMap(({ name, record }) =>
    record?.error === undefined ? [] : [{ type: 'warning' as const, text: `${name} failed: ${record.error}` }],
  );
  const memory = most.length > 0 ? `; at most ${bytes(Math.max(...most))} of memory` : '';
  return {
    id: 'resources',
    title: 'Time and memory',
    blocks: [
      ...failed,
      ...(total > 0 ? [text(`${duration(total)} in all${memory}. Tokens are those that a stage learnt from or drew.`)] : []),
      {
        type: 'table',
        header: ['step', ...(whole ? ['kind', 'state'] : []), 'time', '', 'tokens', 'tokens/s', 'peak memory'],
        rows,
        align: ['left', ...(whole ? ['left' as const, 'left' as const] : []), 'right', 'left', 'right', 'right', 'right'],
      },
      ...lacking('time', secondsOf),
      ...lacking('peak memory', memoryOf),
    ],
  };
}
