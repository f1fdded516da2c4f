import path from 'node:path';
import { besides, mapInWorkers } from '../../util/workers.js';
import { chunkLength, readChunks } from '../chunks.js';
import { BitSet } from './bit-set.js';
import type { Pass } from './chain.js';
import type { PassInput, PassOutput, PassSetup } from './clean-worker.js';
import { CorpusWriter } from './corpus-writer.js';
import { excerpt, type NumberedExample, Sample } from './examples.js';
import { type Groups, KeyFile } from './key-file.js';
import type { CorpusRule, Values } from './rule.js';

/** What a rule did, summed over a pass. */
export interface Tally {
  rule: string;
  values: Values;
  documents: number;
  dropped: number;
  droppedBytes: number;
  changed: number;
  changedBytes: number;
  examples: TalliedExample[];
}

/** An example; documents are known by their number in what the first pass read. */
export type TalliedExample = NumberedExample & { like?: { document: number; text: string } };

/** What a pass reads: corpora, and what is known of their documents. Numbers of documents count over all of `corpora`. */
export interface PassSource {
  corpora: readonly string[];
  /** Their numbers in what the first pass read, where those are others. */
  originals?: BitSet;
  /** Documents that earlier rules dropped. */
  gone: BitSet;
  /** What a corpus-wide rule found; this pass drops its documents. */
  found?: { tally: Tally; rule: CorpusRule; groups: Groups };
}

export interface PassContext {
  threads: number;
  /** For files that are needed until the end. */
  folder: string;
  resourceOf(rule: string): unknown;
  /** Of the corpus that is written. */
  metadata: ReadonlyMap<string, string>;
  /** Called with the number of documents and bytes of each corpus that was read. */
  counted(corpus: string, documents: number, bytes: number): void;
}

/** What a pass did, and what the next one reads. */
export interface PassResult {
  tallies: Tally[];
  next: PassSource;
  /** What was written, if something was. */
  written?: { path: string; documents: number; bytes: number };
}

const WORKER = besides(import.meta.url, './clean-worker');

/**
 * One pass over the documents: drops what the corpus-wide rule before it found, runs the rules of the pass in worker threads, and compares the
 * keys of the corpus-wide rule at its end. The texts are written where they may have changed, or where nothing follows.
 */
export async function runPass({ links, compare }: Pass, number: number, source: PassSource, context: PassContext): Promise<PassResult> {
  const write = links.length > 0 || compare === undefined;
  const setup: PassSetup = {
    links: links.map(({ rule, values }) => ({ rule: rule.name, values, resource: context.resourceOf(rule.name) })),
    compare: compare && { rule: compare.rule.name, values: compare.values },
    write,
  };
  const tallies = links.map(({ rule, values }) => newTally(rule.name, values));
  const samples = links.map(() => new Sample<NumberedExample>());
  const originalOf = (document: number) => source.originals?.select(document) ?? document;
  const target = path.join(context.folder, `pass-${number}.arrow`);
  const writer = write ? new CorpusWriter(target, context.metadata) : undefined;
  const keys = compare && (await KeyFile.create(path.join(context.folder, `keys-${number}`), compare.rule.keyWords));
  const originals = new BitSet();
  const drops = source.found && new Drops(source.found);
  let read = 0;
  let original = -1;
  try {
    const threads = links.length > 0 || (compare && !compare.rule.light) ? context.threads : 1; // copying needs none
    for await (const output of mapInWorkers<PassInput, PassOutput>(WORKER, setup, inputs(source, drops, context), threads)) {
      output.counts.forEach((counts, i) => {
        addTo(tallies[i], counts);
        for (const example of counts.examples) samples[i].add(example);
      });
      await keys?.append(output.keys, writer ? writer.documents : read);
      if (writer) {
        for (let i = 0; i < output.kept.length; i++) {
          original = source.originals ? source.originals.next(original + 1) : read + i;
          if (output.kept[i]) originals.add(original);
        }
      }
      read += output.kept.length;
      await writer?.add(output);
    }
    await writer?.close();
    drops?.finish(originalOf);
    samples.forEach((sample, i) => {
      tallies[i].examples = sample.examples.map((example) => ({ ...example, document: originalOf(example.document) }));
    });
    const next: PassSource = writer ? { corpora: [target], originals, gone: new BitSet() } : { ...source, found: undefined };
    if (compare && keys) {
      const groups = await keys.groups(writer ? writer.documents : read);
      next.found = { tally: newTally(compare.rule.name, compare.values), rule: compare.rule, groups };
      tallies.push(next.found.tally); // filled by the next pass
    }
    return { tallies, next, written: writer && { path: target, documents: writer.documents, bytes: writer.textBytes } };
  } finally {
    await writer?.abandon();
    await keys?.remove();
  }
}

function newTally(rule: string, values: Values): Tally {
  return { rule, values, documents: 0, dropped: 0, droppedBytes: 0, changed: 0, changedBytes: 0, examples: [] };
}

function addTo(tally: Tally, counts: PassOutput['counts'][number]): void {
  tally.documents += counts.documents;
  tally.dropped += counts.dropped;
  tally.droppedBytes += counts.droppedBytes;
  tally.changed += counts.changed;
  tally.changedBytes += counts.changedBytes;
}

async function* inputs(source: PassSource, drops: Drops | undefined, context: PassContext): AsyncGenerator<PassInput> {
  let base = 0;
  for (const corpus of source.corpora) {
    let documents = 0;
    let bytes = 0;
    for await (const chunk of readChunks(corpus)) {
      const length = chunkLength(chunk);
      const skip = new Uint8Array(length);
      for (let i = 0; i < length; i++) {
        const number = base + documents + i;
        if (source.gone.has(number)) skip[i] = 1;
        else if (drops?.take(number, chunk.text.subarray(chunk.offsets[i], chunk.offsets[i + 1]), chunk.sources[chunk.sourceOf[i]])) {
          skip[i] = 1;
          source.gone.add(number);
        }
      }
      const first = base + documents;
      documents += length;
      bytes += chunk.text.length;
      yield { ...chunk, first, skip };
    }
    base += documents;
    context.counted(corpus, documents, bytes);
  }
}

/** Drops what a corpus-wide rule found, as the documents come by. */
class Drops {
  private readonly chosen = new Sample<{ document: number }>();
  /** Texts of the examples, and of the documents that stay in their place. */
  private readonly texts = new Map<number, { text: string; source: string; bytes: number }>();

  constructor(private readonly found: NonNullable<PassSource['found']>) {
    const { first } = found.groups;
    for (let document = 0; document < first.length; document++) if (first[document] !== document) this.chosen.add({ document });
    for (const { document } of this.chosen.examples) {
      for (const shown of [document, first[document]]) this.texts.set(shown, { text: '', source: '', bytes: 0 });
    }
  }

  /** Whether a document is dropped. */
  take(document: number, bytes: Uint8Array, source: string): boolean {
    const { tally, groups } = this.found;
    tally.documents++;
    if (this.texts.has(document)) this.texts.set(document, { text: excerpt(bytes), source, bytes: bytes.length });
    if (groups.first[document] === document) return false;
    tally.dropped++;
    tally.droppedBytes += bytes.length;
    return true;
  }

  finish(originalOf: (document: number) => number): void {
    const { tally, rule, groups } = this.found;
    tally.examples = this.chosen.examples.map(({ document }) => {
      const { text, source, bytes } = this.texts.get(document)!;
      const like = groups.first[document];
      const reason = rule.reason(tally.values, bytes, groups.keys[document]);
      return {
        document: originalOf(document),
        source,
        reason,
        text,
        like: { document: originalOf(like), text: this.texts.get(like)!.text },
      };
    });
  }
}
