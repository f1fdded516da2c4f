/** 16-bit floats on disk, as bit patterns: widened exactly when read, rounded to nearest, ties to even, when written. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export function widenBfloat16(source: Uint16Array): Float32Array {
  const result = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) result[i] = source[i] << 16;
  return new Float32Array(result.buffer);
}

export function narrowToBfloat16(source: Float32Array): Uint16Array {
  const words = new Uint32Array(source.buffer, source.byteOffset, source.length);
  return Uint16Array.from(words, (word) => {
    if ((word & 0x7fffffff) > 0x7f800000) return (word >>> 16) | 0x40; // NaN stays NaN
    return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  });
}

export function widenFloat16(source: Uint16Array): Float32Array {
  return Float32Array.from(source, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >>> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
}

export function narrowToFloat16(source: Float32Array): Uint16Array {
  return Uint16Array.from(source, (value) => {
    if (Number.isNaN(value)) return 0x7e00;
    float[0] = value;
    const sign = (bits[0] >>> 16) & 0x8000;
    const magnitude = Math.abs(value);
    if (magnitude >= 65520) return sign | 0x7c00; // rounds beyond the largest, 65504
    const exponent = Math.max(((bits[0] >>> 23) & 0xff) - 127, -14);
    const units = roundHalfEven(magnitude * 2 ** (10 - exponent)); // of the last place: below 1024 is subnormal, 2048 carries into the exponent
    return sign | (units + ((exponent + 14) << 10));
  });
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
