import { Command, Option } from 'commander';
import type { TrainProgress } from '../../tokenizer/index.js';
import { UserError } from '../../util/errors.js';
import { wholeOption } from '../options.js';
import { progressLine } from '../progress.js';

interface TrainFlags {
  output: string;
  kind: 'bpe' | 'char' | 'word';
  vocabSize: number;
  minFrequency: number;
  maxTokenBytes?: number;
  specialTokens: boolean;
  threads?: number;
  overwrite?: boolean;
}

interface EncodeFlags {
  file?: string;
  tokens?: boolean;
  allowSpecial?: boolean;
}

interface InspectFlags {
  text?: string;
  html?: string;
  overwrite?: boolean;
}

const TOKENIZER = 'tokenizer.json, or a folder that holds one';

export function tokenizerCommand(): Command {
  return new Command('tokenizer')
    .description('train tokenizers and look into them')
    .addCommand(trainCommand())
    .addCommand(encodeCommand())
    .addCommand(decodeCommand())
    .addCommand(inspectCommand());
}

function trainCommand(): Command {
  return new Command('train')
    .description('text → tokenizer.json')
    .argument('<paths...>', 'corpora (.arrow), and all that data import reads')
    .requiredOption('-o, --output <path>', 'file to write (.json), or a folder to write tokenizer.json into')
    .addOption(new Option('--kind <kind>', 'pieces of words, characters or words').choices(['bpe', 'char', 'word']).default('bpe'))
    .option('--vocab-size <n>', 'number of tokens (bpe, word)', wholeOption(1), 4096)
    .option('--min-frequency <n>', 'leave out what is seen less often (bpe, word)', wholeOption(1), 2)
    .option('--max-token-bytes <n>', 'longest token (bpe)', wholeOption(1))
    .option('--no-special-tokens', 'the characters alone, no beginning and end of document (char)')
    .option('--threads <n>', 'threads that count words; one for each processor where not given', wholeOption(1))
    .option('--overwrite', 'replace what is there')
    .action(async (paths: string[], { output, threads, overwrite = false, ...options }: TrainFlags) => {
      const { trainTokenizerInWorkers } = await import('../../tokenizer/index.js');
      const { saveTokenizer, tokenizerFile } = await import('../../tokenizer/save.js');
      const { readTexts } = await import('../../datasets/texts.js');
      const { defaultThreads } = await import('../../util/workers.js');
      const file = await tokenizerFile(output, overwrite);
      const line = progressLine();
      const onProgress = (progress: TrainProgress) => line.show(progressText(progress));
      const rejected = rejectedRows();
      const finish = () => {
        line.end();
        rejected.report();
      };
      const tokenizer = await trainTokenizerInWorkers(
        readTexts(paths, rejected.add),
        { ...options, onProgress },
        threads ?? defaultThreads(),
      ).finally(finish);
      await saveTokenizer(tokenizer, file);
      console.log(`${file}: ${tokenizer.kind}, ${count(tokenizer.vocabSize)} tokens, sha256 ${tokenizer.hash().slice(0, 12)}`);
      if (options.kind !== 'char' && tokenizer.vocabSize < options.vocabSize) {
        const what = options.kind === 'bpe' ? 'pairs' : 'words';
        console.log(
          `fewer than ${count(options.vocabSize)}: the text has no more ${what} that are seen ${count(options.minFrequency)} times`,
        );
      }
    });
}

function encodeCommand(): Command {
  return new Command('encode')
    .description('text → ids')
    .argument('<tokenizer>', TOKENIZER)
    .argument('[text]', 'where neither it nor --file is given, stdin is read')
    .option('--file <path>', 'read the text from there')
    .option('--tokens', 'show each token beside its id')
    .option('--allow-special', 'read text that spells a special token as that token')
    .action(async (path: string, text: string | undefined, { file, tokens, allowSpecial }: EncodeFlags) => {
      if (text !== undefined && file !== undefined) {
        throw new UserError(`encode: the text must be an argument or a file; received both, ${JSON.stringify(text)} and ${file}`);
      }
      const { readTokenizer } = await import('../../tokenizer/index.js');
      const { readInput } = await import('../input.js');
      const tokenizer = await readTokenizer(path);
      const ids = tokenizer.encode(text ?? (await readInput('encode', file)), { allowSpecial });
      if (ids.length === 0) throw new UserError('encode: there must be text; received none');
      if (!tokens) {
        console.log(ids.join(' '));
        return;
      }
      const { tokenPieces } = await import('../../tokenizer/pieces.js');
      const { tokenTable } = await import('../../tokenizer/show-inspection.js');
      console.log(tokenTable(tokenPieces(tokenizer, ids)));
    });
}

function decodeCommand(): Command {
  return new Command('decode')
    .description('ids → text')
    .argument('<tokenizer>', TOKENIZER)
    .argument('[ids...]', 'where none are given, stdin is read')
    .action(async (path: string, given: string[]) => {
      const { readTokenizer } = await import('../../tokenizer/index.js');
      const { parseIds } = await import('../../tokenizer/parse-ids.js');
      const { readInput } = await import('../input.js');
      const tokenizer = await readTokenizer(path);
      const ids = parseIds(given.length > 0 ? given.join(' ') : await readInput('decode'), tokenizer.vocabSize);
      process.stdout.write(tokenizer.decode(ids));
      if (process.stdout.isTTY) process.stdout.write('\n');
    });
}

function inspectCommand(): Command {
  return new Command('inspect')
    .description('what a tokenizer is, and how well it fits texts')
    .argument('<tokenizer>', TOKENIZER)
    .argument('[paths...]', 'corpora (.arrow), and all that data import reads: bytes a token, tokens used and not used')
    .option('--text <text>', 'show the tokens of this text')
    .option('--html <file>', 'write a page instead')
    .option('--overwrite', 'replace a page that is there')
    .action(async (path: string, paths: string[], { text, html, overwrite }: InspectFlags) => {
      const { readTokenizer } = await import('../../tokenizer/index.js');
      const { inspectTokenizer } = await import('../../tokenizer/inspect.js');
      const { inspectionPage, inspectionText } = await import('../../tokenizer/show-inspection.js');
      const { readTexts } = await import('../../datasets/texts.js');
      const { checkPage, writePage } = await import('../page.js');
      if (html !== undefined) await checkPage('inspect tokenizer', html, overwrite);
      const line = progressLine();
      const onProgress = (bytes: number) => line.show(`encoded ${megabytes(bytes)}`);
      const rejected = rejectedRows();
      const finish = () => {
        line.end();
        rejected.report();
      };
      const batches = paths.length > 0 ? readTexts(paths, rejected.add) : undefined;
      const inspection = await inspectTokenizer(await readTokenizer(path), { name: path, batches, text, onProgress }).finally(finish);
      if (html === undefined) console.log(inspectionText(inspection));
      else await writePage(html, inspectionPage(inspection));
    });
}

/** Counts what could not be used, by why, and says so on stderr. */
function rejectedRows(): { add(row: { reason: string }): void; report(): void } {
  const reasons = new Map<string, number>();
  return {
    add({ reason }) {
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    },
    report() {
      if (reasons.size === 0) return;
      const counts = [...reasons].map(([reason, times]) => `${reason}: ${count(times)}`);
      console.error(`left out, ${counts.join(', ')}. data import writes down which and why`);
    },
  };
}

function progressText({ phase, done, total }: TrainProgress): string {
  return phase === 'count' ? `counted ${megabytes(done)}` : `merged ${count(done)} of ${count(total!)}`;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
const count = (n: number) => n.toLocaleString('en');
