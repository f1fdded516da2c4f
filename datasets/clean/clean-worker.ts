import type { WorkerTask } from '../../util/workers.js';
import type { TextChunk } from '../chunks.js';
import { Document } from './document.js';
import { excerpt, excerptsOfChange, type NumberedExample, Sample } from './examples.js';
import type { Values } from './rule.js';
import { RULES } from './rules.js';

/** What each thread of a pass is told: rules by name, as functions cannot be sent. */
export interface PassSetup {
  links: { rule: string; values: Values; resource: unknown }[];
  /** Corpus-wide rule whose keys are wanted. */
  compare?: { rule: string; values: Values };
  /** Whether the texts that are kept are wanted. */
  write: boolean;
}

export interface PassInput extends TextChunk {
  /** 1 = leave this document out. */
  skip: Uint8Array<ArrayBuffer>;
}

/** What a rule did to the documents of a chunk. */
export interface RuleCounts {
  documents: number;
  dropped: number;
  droppedBytes: number;
  changed: number;
  /** Bytes that texts became shorter by, less those that they became longer by. */
  changedBytes: number;
  examples: NumberedExample[];
}

export interface PassOutput {
  /** 1 = the document of the chunk is kept. */
  kept: Uint8Array<ArrayBuffer>;
  /** The texts that are kept, one after another. */
  text: Uint8Array<ArrayBuffer>;
  offsets: Int32Array<ArrayBuffer>;
  sources: string[];
  sourceOf: Uint32Array<ArrayBuffer>;
  counts: RuleCounts[];
  /** Keys, each with the place of its document in the chunk, or among those that are kept where their texts are wanted. */
  keys: Uint32Array<ArrayBuffer>;
}

/** Runs the rules of one pass over a chunk. */
export function start(setup: unknown): WorkerTask<PassInput, PassOutput> {
  const { links, compare, write } = setup as PassSetup;
  const rules = links.map(({ rule, values, resource }) => named(rule, 'document').start(values, resource));
  const forProse = links.map(({ rule }) => named(rule, 'document').prose === true);
  const samples = links.map(() => new Sample<NumberedExample>());
  const comparing = compare && named(compare.rule, 'corpus');
  const keysOf = comparing?.start(compare!.values);
  const document = new Document();

  return {
    run(chunk) {
      const { offsets, sources, skip, first } = chunk;
      const length = skip.length;
      const output = new Gathered(chunk);
      const isCode = sources.map((source) => source.includes('/'));
      const counts = links.map(
        (): RuleCounts => ({ documents: 0, dropped: 0, droppedBytes: 0, changed: 0, changedBytes: 0, examples: [] }),
      );
      const keys = new Keys(comparing?.keyWords ?? 0);

      const passes = (i: number): boolean => {
        document.become(chunk.text.subarray(offsets[i], offsets[i + 1]));
        for (let r = 0; r < rules.length; r++) {
          if (forProse[r] && isCode[chunk.sourceOf[i]]) continue;
          const { bytes } = document;
          const count = counts[r];
          count.documents++;
          const outcome = rules[r](document);
          if (outcome === undefined) continue;
          const example = samples[r].wants(first + i) ? { document: first + i, source: sources[chunk.sourceOf[i]] } : undefined;
          if (typeof outcome === 'string') {
            count.dropped++;
            count.droppedBytes += bytes.length;
            if (example) show(r, count, { ...example, reason: outcome, text: excerpt(bytes) });
            return false;
          }
          count.changed++;
          count.changedBytes += bytes.length - outcome.bytes.length;
          if (example) show(r, count, { ...example, reason: outcome.reason, ...excerptsOfChange(bytes, outcome.bytes, outcome.at) });
          document.become(outcome.bytes);
        }
        return true;
      };
      const show = (rule: number, count: RuleCounts, example: NumberedExample) => {
        samples[rule].add(example);
        count.examples.push(example);
      };

      for (let i = 0; i < length; i++) {
        if (skip[i] || !passes(i)) continue;
        keysOf?.(document, (key) => keys.add(key, write ? output.count : i));
        output.keep(i);
        if (write) output.add(i, document.bytes);
      }
      return { ...output.finish(), sources, counts, keys: keys.records.slice(0, keys.used) };
    },
  };
}

/** The documents of a chunk that are kept, moved together in the memory of the chunk as long as they fit. */
class Gathered {
  count = 0;
  private readonly kept: Uint8Array<ArrayBuffer>;
  private text: Uint8Array<ArrayBuffer>;
  private readonly offsets: Int32Array<ArrayBuffer>;
  private readonly sourceOf: Uint32Array<ArrayBuffer>;

  constructor(private readonly chunk: PassInput) {
    this.kept = new Uint8Array(chunk.skip.length);
    this.text = chunk.text;
    this.offsets = new Int32Array(chunk.offsets.length);
    this.sourceOf = new Uint32Array(chunk.sourceOf.length);
  }

  add(i: number, bytes: Uint8Array): void {
    const { chunk, offsets, count } = this;
    const end = offsets[count] + bytes.length;
    if (this.text === chunk.text && end > chunk.offsets[i + 1]) this.text = chunk.text.slice(); // texts became longer: do not write over what is to come
    if (end > this.text.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.text.subarray(0, offsets[count]));
      this.text = larger;
    }
    this.text.set(bytes, offsets[count]);
    offsets[count + 1] = end;
    this.sourceOf[count] = chunk.sourceOf[i];
    this.count++;
  }

  keep(i: number): void {
    this.kept[i] = 1;
  }

  finish() {
    const { kept, text, offsets, sourceOf, count } = this;
    return { kept, text, offsets: offsets.slice(0, count + 1), sourceOf: sourceOf.slice(0, count) };
  }
}

/** Records of a key and a number. */
class Keys {
  records = new Uint32Array(0);
  used = 0;
  constructor(private readonly keyWords: number) {}

  add(key: Uint32Array, document: number): void {
    if (this.used + this.keyWords + 1 > this.records.length) {
      const larger = new Uint32Array(Math.max(1 << 12, 2 * this.records.length));
      larger.set(this.records);
      this.records = larger;
    }
    this.records.set(key, this.used);
    this.records[this.used + this.keyWords] = document;
    this.used += this.keyWords + 1;
  }
}

function named<K extends 'document' | 'corpus'>(name: string, kind: K) {
  return RULES.find((rule) => rule.name === name && rule.kind === kind) as Extract<(typeof RULES)[number], { kind: K }>;
}
