/**
 * The way from text to tokens on data that is made on the spot: `data import`, `data clean` and `data prepare`, each a process of its own, with
 * MB/s, peak memory, and what was dropped. `--from` is the folder with the texts that `fourfold data fetch` brings; `--megabytes` may be a list.
 *
 *   npm run bench:data -- --from data --megabytes 100,400,1000
 */
import { createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { type CleanReport, reportPath } from '../datasets/clean/index.js';
import { RandomStream } from '../util/random.js';
import { runOurs } from './child.js';
import { megabytes, rate, table } from './figures.js';

interface Step {
  seconds: number;
  peakBytes: number;
}

/** Sentences of a text; a document is made of some of them. */
type Sentences = readonly string[];

const { values: options } = parseArgs({
  options: {
    from: { type: 'string', default: 'data' },
    megabytes: { type: 'string', default: '1000' },
    keep: { type: 'string' },
    threads: { type: 'string', default: String(os.availableParallelism()) },
  },
});

const sentencesOf = (text: string): Sentences =>
  text
    .split(/(?<=[.!?。！？])\s*|\n+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence.length > 1);

async function readRows(file: string): Promise<Record<string, string>[]> {
  const text = await fs.readFile(path.join(options.from, file), 'utf8');
  return file.endsWith('.jsonl')
    ? text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : JSON.parse(text);
}

async function sources(): Promise<Map<string, Sentences>> {
  const column = (rows: Record<string, string>[], ...names: string[]) =>
    rows.map((row) => names.map((name) => row[name]).join('\n')).join('\n');
  return new Map([
    ['wiki', sentencesOf(await fs.readFile(path.join(options.from, 'wiki_demo.txt'), 'utf8'))],
    ['c4', sentencesOf(column(await readRows('c4_demo.jsonl'), 'text'))],
    ['shakespeare', sentencesOf(await fs.readFile(path.join(options.from, 'tinyshakespeare.txt'), 'utf8'))],
    ['maths', sentencesOf(column(await readRows('gsm8k-train.jsonl'), 'question', 'answer'))],
    ['alpaca_en', sentencesOf(column(await readRows('alpaca_en_demo.json'), 'instruction', 'output'))],
    ['alpaca_zh', sentencesOf(column(await readRows('alpaca_zh_demo.json'), 'instruction', 'output'))],
  ]);
}

/**
 * Documents of 5 to 60 sentences drawn from one source, of which some are bad on purpose: one in 50 is a copy of an earlier one, one in 30 an
 * earlier one with a sentence less, one in 100 repeats a line, one in 100 holds an e-mail address, one in 1,000 is a broken row.
 */
async function writeRows(file: string, sentences: Sentences, bytes: number, random: RandomStream): Promise<number> {
  const stream = createWriteStream(file, { highWaterMark: 1 << 20 });
  const below = (n: number) => Math.floor(random.uniform() * n);
  const earlier: string[][] = [];
  let written = 0;
  while (written < bytes) {
    let parts = Array.from({ length: 5 + below(56) }, () => sentences[below(sentences.length)]);
    const kind = below(3000);
    const other = earlier[below(earlier.length)];
    if (other && kind < 60) parts = other;
    else if (other && kind < 160) parts = other.toSpliced(below(other.length), 1);
    else if (kind < 190) parts = Array.from({ length: 20 }, () => parts[0]);
    else if (kind < 220) parts.push('Write to someone@example.net or call +1 (555) 010-7788.');
    if (earlier.length < 1000) earlier.push(parts);
    else earlier[below(1000)] = parts;
    const paragraphs: string[] = [];
    for (let i = 0; i < parts.length; i += 4) paragraphs.push(parts.slice(i, i + 4).join(' '));
    const row = JSON.stringify({ text: paragraphs.join('\n') });
    const line = `${kind < 223 && kind >= 220 ? row.slice(0, -5) : row}\n`;
    written += Buffer.byteLength(line);
    if (!stream.write(line)) await new Promise<void>((resolve) => stream.once('drain', () => resolve()));
  }
  await finished(stream.end());
  return written;
}

async function measure(folder: string, size: number): Promise<void> {
  const texts = await sources();
  const random = new RandomStream(1, 0);
  const files: string[] = [];
  let bytes = 0;
  for (const [name, sentences] of texts) {
    files.push(path.join(folder, `${name}.jsonl`));
    bytes += await writeRows(files.at(-1)!, sentences, (size * 1e6) / texts.size, random);
  }
  const at = (name: string) => path.join(folder, name);
  const corpora = files.map((file) => file.replace('.jsonl', '.arrow'));
  const steps: [string, string[][]][] = [
    ['data import', files.map((file, i) => ['data', 'import', file, '-o', corpora[i]])],
    ['data clean', [['data', 'clean', ...corpora, '-o', at('clean.arrow'), '--threads', options.threads]]],
    [
      'tokenizer train',
      [['tokenizer', 'train', at('clean.arrow'), '-o', at('tokenizer.json'), '--vocab-size', '8192', '--threads', options.threads]],
    ],
    [
      'data prepare',
      [['data', 'prepare', at('clean.arrow'), '-o', at('tokens'), '--tokenizer', at('tokenizer.json'), '--threads', options.threads]],
    ],
  ];
  const rows: string[][] = [];
  for (const [name, commands] of steps) {
    const runs: Step[] = [];
    const input = name === 'data import' ? bytes : name === 'data clean' ? await sizeOf(corpora) : await sizeOf([at('clean.arrow')]);
    for (const command of commands) runs.push(await runOurs<Step>('data-step.ts', command));
    const seconds = runs.reduce((sum, run) => sum + run.seconds, 0);
    rows.push([
      name,
      megabytes(input),
      seconds.toFixed(1),
      rate(input / 1e6 / seconds),
      megabytes(Math.max(...runs.map((run) => run.peakBytes))),
    ]);
  }
  console.log(`\n${megabytes(bytes)} of rows, ${options.threads} threads\n`);
  console.log(table(['step', 'input', 'seconds', 'MB/s', 'peak memory'], rows));
  console.log(`\n${dropped(JSON.parse(await fs.readFile(reportPath(at('clean.arrow')), 'utf8')))}`);
}

/** What each rule dropped and changed, from the report of `data clean`. */
function dropped({ before, after, rules }: CleanReport): string {
  const count = (n: number) => n.toLocaleString('en-US');
  const rows = rules.map(({ rule, documents, dropped, dropped_bytes, changed }) => [
    rule,
    count(documents),
    count(dropped),
    megabytes(dropped_bytes),
    count(changed),
  ]);
  const left = `${count(after.documents)} of ${count(before.documents)} documents are left, ${megabytes(after.bytes)} of ${megabytes(before.bytes)}`;
  return `${table(['rule', 'documents', 'dropped', 'bytes', 'changed'], rows)}\n\n${left}`;
}

async function sizeOf(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (file) => (await fs.stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

for (const size of options.megabytes.split(',').map(Number)) {
  const folder = options.keep ?? (await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-bench-')));
  await fs.mkdir(folder, { recursive: true });
  try {
    await measure(folder, size);
  } finally {
    if (options.keep === undefined) await fs.rm(folder, { recursive: true, force: true });
  }
}
