import type { RandomStream } from '../../util/random.js';

/** One of a list. */
export function pick<T>(random: RandomStream, values: readonly T[]): T {
  return values[random.below(values.length)];
}

const BYTES = Buffer.from('\0\x01\t\n\r "\'\\,:[]{}-#&*!|>%@`0aA~\x7f\x80\xbf\xc0\xe2\xef\xf0\xff', 'latin1');
const NUMBERS = [-1, 0, 1, 2, 7, 8, 255, 256, 65535, 65536, 0x7fffffff, -0x80000000, 0x7ffffff8, 0x10000000];
const TEXTS = ['\r\n', '\0', '\ufeff', '\ud83d\ude42', '\u0301', '""', '{}', '[]', '1e999', '-0', 'null', '\\ud800', '<|bos|>', '__proto__', '# ', '---\n', '\n\n'].map((text) => Buffer.from(text)); // biome-ignore format: a list

type Change = (random: RandomStream, bytes: Buffer, other: Buffer) => Buffer;

/** A range of up to `most` bytes. */
function range(random: RandomStream, length: number, most: number): [number, number] {
  const start = random.below(length + 1);
  return [start, Math.min(length, start + 1 + random.below(most))];
}

function replaced(bytes: Buffer, start: number, end: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, start), by, bytes.subarray(end)]);
}

const changes: readonly Change[] = [
  function flipBit(random, bytes) {
    if (bytes.length > 0) bytes[random.below(bytes.length)] ^= 1 << random.below(8);
    return bytes;
  },
  function overwrite(random, bytes) {
    if (bytes.length > 0) bytes[random.below(bytes.length)] = BYTES[random.below(BYTES.length)];
    return bytes;
  },
  function overwriteNumber(random, bytes) {
    const size = pick(random, [2, 4, 8]);
    if (bytes.length < size) return bytes;
    const place = random.below(Math.floor((bytes.length - size) / 2) + 1) * 2;
    const number = BigInt(random.below(4) === 0 ? random.below(bytes.length) : pick(random, NUMBERS));
    if (size === 8) bytes.writeBigInt64LE(number, place);
    else if (size === 4) bytes.writeInt32LE(Number(BigInt.asIntN(32, number)), place);
    else bytes.writeInt16LE(Number(BigInt.asIntN(16, number)), place);
    return bytes;
  },
  (random, bytes) => bytes.subarray(0, random.below(bytes.length + 1)),
  (random, bytes) => replaced(bytes, ...range(random, bytes.length, 64), Buffer.alloc(0)),
  function duplicate(random, bytes) {
    const [start, end] = range(random, bytes.length, 256);
    return replaced(bytes, end, end, bytes.subarray(start, end));
  },
  function insert(random, bytes) {
    const at = random.below(bytes.length + 1);
    const what = random.below(2) ? pick(random, TEXTS) : Buffer.from(Array.from({ length: 1 + random.below(16) }, () => random.below(256)));
    return replaced(bytes, at, at, what);
  },
  function repeat(random, bytes) {
    const at = random.below(bytes.length + 1);
    return replaced(bytes, at, at, Buffer.alloc(1 + random.below(20_000), BYTES[random.below(BYTES.length)]));
  },
  function splice(random, bytes, other) {
    const [start, end] = range(random, bytes.length, 512);
    const [from, to] = range(random, other.length, 512);
    return replaced(bytes, start, end, other.subarray(from, to));
  },
  (random, bytes, other) =>
    Buffer.concat([bytes.subarray(0, random.below(bytes.length + 1)), other.subarray(random.below(other.length + 1))]),
];

/** The changes that keep the length come first. */
const KEEPING = 3;

/**
 * `bytes` with one change, half of the time, and more: bits, numbers, deletions, insertions, parts of `other`.
 * @param binary the input has lengths and places in it, so that few changes of its length reach behind the first check.
 */
export function mutateBytes(random: RandomStream, bytes: Uint8Array, other: Uint8Array, binary = false): Buffer {
  let mutated: Buffer = Buffer.from(bytes);
  do {
    const keep = binary && random.below(8) > 0;
    mutated = pick(random, keep ? changes.slice(0, KEEPING) : changes)(random, mutated, Buffer.from(other));
  } while (random.below(2) === 0);
  return mutated;
}

type Container = unknown[] | Record<string, unknown>;

function nested(depth: number, make: (inner: unknown) => unknown): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = make(value);
  return value;
}

/** Values that are seldom meant. */
const values: readonly ((random: RandomStream) => unknown)[] = [
  () => null,
  (random) => random.below(2) === 0,
  (random) => pick(random, [-1, 0, 1, -0, 0.5, 1e308, -1e308, 2 ** 31, 2 ** 32, 2 ** 53, 1e-320, 300, 1_000_000]),
  (random) => pick(random, ['', ' ', 'é', '🙂', '\ud800', '\0', '__proto__', 'constructor', 'true', '1', '1e3', '<|eos|>', '(', '[', '\\', '(a+)+$', '.*', '\\p{L}', 'x'.repeat(5000)]), // biome-ignore format: a list
  () => [],
  () => ({}),
  (random) => nested(pick(random, [3, 100, 3000]), (inner) => [inner]),
  (random) => nested(pick(random, [3, 100, 3000]), (inner) => ({ a: inner })),
];

const KEYS = ['__proto__', 'constructor', 'prototype', 'toString', 'length', '', '0', '-1', 'text', 'type', 'é', '<<'];

/** An own key, whatever its name. */
function set(target: Container, key: PropertyKey, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

/** A JSON-like value with one to three changes: types, keys and elements. */
export function mutateValue(random: RandomStream, value: unknown): unknown {
  const root: Container = [structuredClone(value)];
  for (let n = 1 + random.below(3); n > 0; n--) change(random, root);
  return (root as unknown[])[0];
}

function change(random: RandomStream, root: Container): void {
  let at: Container = root;
  let key: string = '0';
  for (;;) {
    const below = (at as Record<string, unknown>)[key];
    const keys = typeof below === 'object' && below !== null ? Object.keys(below) : [];
    if (keys.length === 0 || random.below(at === root ? 50 : 5) === 0) break;
    at = below as Container;
    key = pick(random, keys);
  }
  const old = (at as Record<string, unknown>)[key];
  const keys = Object.keys(at);
  const make = pick<() => void>(random, [
    () => set(at, key, pick(random, values)(random)),
    () => set(at, key, pick(random, values)(random)),
    () => (Array.isArray(at) ? at !== root && at.splice(Number(key), 1) : delete at[key]),
    () => set(at, key, typeof old === 'number' ? String(old) : typeof old === 'string' ? Number(old) || 0 : JSON.stringify(old)),
    () => set(at, key, [old]),
    () => set(at, key, { [pick(random, KEYS)]: old }),
    () => at !== root && (Array.isArray(at) ? at.push(old) : set(at, pick(random, KEYS), old)),
    () => set(at, key, (at as Record<string, unknown>)[pick(random, keys)]),
    () => set(at, key, typeof old === 'number' ? old + pick(random, [-1, 1, 0.5, 1000]) : typeof old === 'string' ? old.slice(1) : old),
  ]);
  make();
}
