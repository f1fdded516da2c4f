import { UserError } from '../util/errors.js';

/** A JSON object whose fields are not known yet. */
export type Fields = Record<string, unknown>;

const WAY_OUT = "Use fourfold's own or a byte-level BPE one, as Llama 3, GPT-2 and Qwen 2.5 have, or train a tokenizer";

/** The error of a tokenizer.json that breaks a rule. */
export function unreadable(rule: string, received: unknown): UserError {
  const text = typeof received === 'string' ? received : (JSON.stringify(received) ?? 'nothing');
  return new UserError(`load tokenizer: tokenizer.json must have ${shortened(rule, 240)}; received ${shortened(text, 80)}. ${WAY_OUT}`);
}

/** A text that a message can hold. */
export function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function fieldsOf(value: unknown, name: string): Fields {
  if (!isFields(value)) throw unreadable(`an object as ${name}`, value);
  return value;
}

export function listOf(value: unknown, name: string): unknown[] {
  if (!Array.isArray(value)) throw unreadable(`a list as ${name}`, value);
  return value;
}

/** A string, true or false …, as `fallback` is; that where the field is left out. */
export function fieldOf<T extends string | boolean>(fields: Fields, key: string, name: string, fallback: T): T {
  const value = Object.hasOwn(fields, key) ? fields[key] : fallback;
  if (typeof value !== typeof fallback)
    throw unreadable(`${typeof fallback === 'string' ? 'text' : 'true or false'} as ${name}.${key}`, value);
  return value as T;
}

/** Demands one of the values of a field that change nothing here; left out, it is null. */
export function expectField(fields: Fields, key: string, name: string, allowed: readonly unknown[]): void {
  const value = fields[key] ?? null;
  if (!allowed.includes(value)) throw unreadable(`${name}${key}: ${allowed.map((item) => JSON.stringify(item)).join(' or ')}`, value);
}

/** Deep equality, where keys may come in any order and a list of two texts may be written as one with a space. */
export function equalIgnoringOrder(a: unknown, b: unknown): boolean {
  if (typeof a === 'string' && Array.isArray(b)) return a === b.join(' ');
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equalIgnoringOrder(a[key as never], b[key as never]))
  );
}
