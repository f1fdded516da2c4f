/**
 * Counter-based random numbers: a draw is a pure function of (key, counter), so nothing has to be stored to resume,
 * and the value at one place does not depend on how many were drawn elsewhere.
 * Philox-4x32-10. Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000)) >>> 0;
}

/** The four 32-bit words of Philox-4x32-10 at `counter` (4 words) under `key` (2 words). */
export function philox(
  key: readonly [number, number],
  counter: readonly [number, number, number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter.map((c) => c >>> 0) as [number, number, number, number];
  let k0 = key[0] >>> 0;
  let k1 = key[1] >>> 0;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, c0);
    const low0 = Math.imul(M0, c0) >>> 0;
    const high1 = mulHigh(M1, c2);
    const low1 = Math.imul(M1, c2) >>> 0;
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** A sequence of draws under one seed and one stream number; two streams of a seed are independent. */
export class RandomStream {
  private index = 0;
  private words: number[] = [];
  constructor(
    private readonly seed: number,
    private readonly stream: number,
  ) {}

  /** The next 32-bit word. */
  word(): number {
    if (this.words.length === 0) {
      const block = this.index++;
      const counter = [block >>> 0, Math.floor(block / 0x100000000) >>> 0, this.stream >>> 0, 0] as const;
      this.words = philox([this.seed >>> 0, Math.floor(this.seed / 0x100000000) >>> 0], counter).reverse();
    }
    return this.words.pop()!;
  }

  /** Uniform in [0, 1) with 24 bits, exact in float32. */
  uniform(): number {
    return (this.word() >>> 8) / 0x1000000;
  }

  /** Standard normal. Source: Box and Muller 1958. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Uniform integer in [0, n). */
  below(n: number): number {
    return Math.floor(((this.word() * 0x200000 + (this.word() >>> 11)) / 0x20000000000000) * n);
  }
}

/** `count` standard normals of one stream, by Box and Muller's transform of pairs of uniforms; a pure function of its arguments. */
export function normals(seed: number, stream: number, count: number): Float32Array {
  const source = new RandomStream(seed, stream);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - source.uniform()));
    const angle = 2 * Math.PI * source.uniform();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}
