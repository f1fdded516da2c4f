import type { Shader } from '../shader.js';
import { elementwise, register, runElementwise, sizeOf } from './common.js';

const EMBEDDING = elementwise('embedding', {
  buffers: { ids: 'i32', table: 'f32', y: 'f32 written' },
  numbers: { C: 'u32', V: 'u32' },
  code: 'y[index] = table[min(u32(ids[index / numbers.C]), numbers.V - 1u) * numbers.C + index % numbers.C];',
});

const LANES = 256;

/**
 * A workgroup a row of the table. It looks through the ids 256 at a time, marks those that are its own in a bit mask, and adds their rows of dy in
 * the order of the ids.
 */
const EMBEDDING_GRAD: Shader = {
  name: 'embeddingGrad',
  buffers: { ids: 'i32', dy: 'f32', dtable: 'f32 written' },
  numbers: { M: 'u32', C: 'u32', V: 'u32' },
  lanes: LANES,
  declarations: `var<workgroup> own: array<atomic<u32>, ${LANES / 32}>;`,
  code: `
if (group >= numbers.V) { return; }
for (var start = 0u; start < numbers.M; start += ${LANES}u) {
  if (lane < ${LANES / 32}u) { atomicStore(&own[lane], 0u); }
  workgroupBarrier();
  let m = start + lane;
  if (m < numbers.M && ids[min(m, numbers.M - 1u)] == i32(group)) { atomicOr(&own[lane / 32u], 1u << (lane % 32u)); }
  workgroupBarrier();
  for (var word = 0u; word < ${LANES / 32}u; word++) {
    for (var bits = atomicLoad(&own[word]); bits != 0u; bits &= bits - 1u) {
      let source = (start + word * 32u + firstTrailingBit(bits)) * numbers.C;
      for (var c = lane; c < numbers.C; c += ${LANES}u) { dtable[group * numbers.C + c] += dy[source + c]; }
    }
  }
  workgroupBarrier();
}`,
};

const ACCUMULATE = elementwise('accumulate', {
  buffers: { buffer: 'f32 written', gradient: 'f32' },
  numbers: {},
  code: 'buffer[index] += gradient[index];',
});

/** The kernels behind ops/embedding.ts and ops/gradients.ts. */
export function registerEmbedding(): void {
  register('FourfoldEmbedding', (engine, { ids, table }) => {
    const [V, C] = table.shape;
    const y = engine.make([...ids.shape, C]);
    runElementwise(engine, EMBEDDING, { ids, table, y }, sizeOf(y), { C, V });
    return [y];
  });
  register('FourfoldEmbeddingGrad', (engine, { ids, dy, dtable }) => {
    const [V, C] = dtable.shape;
    const M = sizeOf(ids);
    engine.run(EMBEDDING_GRAD, { ids, dy, dtable }, { M, C, V }, M > 0 ? V : 0);
    return [];
  });
  register('FourfoldAccumulate', (engine, { buffer, gradient }) => {
    runElementwise(engine, ACCUMULATE, { buffer, gradient }, sizeOf(buffer));
    return [];
  });
}
