import type { Document } from './document.js';

export type Value = number | boolean | readonly string[];

/** A value that a rule goes by. */
export interface Parameter<T extends Value = Value> {
  default: T;
  meaning: string;
  /** Of a number. */
  least?: number;
  most?: number;
  whole?: boolean;
  /** What a list may hold. */
  choices?: readonly string[];
}

type Widened<T> = T extends number ? number : T extends boolean ? boolean : readonly string[];
export type Parameters = Readonly<Record<string, Parameter>>;
export type ValuesOf<P extends Parameters> = { readonly [K in keyof P]: Widened<P[K]['default']> };
export type Values = Readonly<Record<string, Value>>;

/** What a rule made of a document: nothing, a new text, or the reason, in numbers, why it is to be dropped. */
export type Outcome = undefined | string | Change;

export interface Change {
  bytes: Uint8Array;
  reason: string;
  /** Byte at which the texts begin to differ. */
  at: number;
}

interface Described {
  name: string;
  about: string;
  /** Where it comes from. */
  source: string;
  parameters: Parameters;
}

/** A rule that looks at one document at a time. */
export interface DocumentRule extends Described {
  kind: 'document';
  /** It is about natural language: source code, which has a source named `NAME/LANGUAGE`, passes it by. */
  prose?: boolean;
  /** `resource` is what the rule needs beside its values, such as the evaluation sets; it is the same in all threads. */
  start(values: Values, resource: unknown): (document: Document) => Outcome;
}

/** A rule that compares documents: each gives keys, and one that has a key of an earlier one is dropped. */
export interface CorpusRule extends Described {
  kind: 'corpus';
  /** 32-bit words in a key. */
  keyWords: number;
  /** Its keys cost less than starting threads for them. */
  light?: boolean;
  /** Gives a function that hands the keys of a document to `add`, in an array that is used again. */
  start(values: Values): (document: Document, add: (key: Uint32Array) => void) => void;
  /** @param keys number of its keys that earlier documents have, too; 0 = later ones join it with the first of its group. */
  reason(values: Values, bytes: number, keys: number): string;
}

export type Rule = DocumentRule | CorpusRule;

/** A rule with the types of its parameters' values. */
export function documentRule<const P extends Parameters>(
  rule: Omit<DocumentRule, 'kind' | 'start' | 'parameters'> & {
    parameters: P;
    start(values: ValuesOf<P>, resource: unknown): (document: Document) => Outcome;
  },
): DocumentRule & { parameters: P } {
  return { kind: 'document', ...rule } as unknown as DocumentRule & { parameters: P };
}

/** A rule that compares documents, with the types of its parameters' values. */
export function corpusRule<const P extends Parameters>(
  rule: Omit<CorpusRule, 'kind' | 'start' | 'reason' | 'parameters'> & {
    parameters: P;
    start(values: ValuesOf<P>): (document: Document, add: (key: Uint32Array) => void) => void;
    reason(values: ValuesOf<P>, bytes: number, keys: number): string;
  },
): CorpusRule & { parameters: P } {
  return { kind: 'corpus', ...rule } as unknown as CorpusRule & { parameters: P };
}

/** A number as reasons show it: few digits, and never so rounded that a value over a limit looks equal to it. */
export function shown(value: number, limit = value): string {
  for (let digits = 3; digits < 17; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (value === limit || Number(text) !== limit) return text;
  }
  return String(value);
}
