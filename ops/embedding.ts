// Legend: V vocabulary, C width; `..` any dimensions.
import * as tf from '@tensorflow/tfjs';
import { hasKernel, onTape, runKernel } from './fused.js';
import { gradientOf, tapeRoot } from './gradients.js';

/**
 * The row of the table for each id. The gradient adds the rows of dy to the rows they came from, in the order of the ids.
 *
 * @param ids   [..] int32 in [0, V).
 * @param table [V, C] float32.
 * @returns     [.., C].
 * @throws Error (native) when an id is outside the table.
 */
export function embedding(ids: tf.Tensor2D, table: tf.Tensor2D): tf.Tensor3D;
export function embedding(ids: tf.Tensor1D, table: tf.Tensor2D): tf.Tensor2D;
export function embedding(ids: tf.Tensor, table: tf.Tensor2D): tf.Tensor {
  return hasKernel('FourfoldEmbedding') ? fusedEmbedding(ids, table) : tf.gather(table, ids as tf.Tensor1D);
}

function fusedEmbedding(ids: tf.Tensor, table: tf.Tensor2D): tf.Tensor {
  const buffer = gradientOf(table);
  const root = tapeRoot();
  const outputs = runKernel('FourfoldEmbedding', { ids, table });
  const [input, from]: [string, tf.Tensor] = buffer && root ? ['root', root] : ['table', table];
  onTape('FourfoldEmbedding', { [input]: from }, outputs, [ids, table], ([dy], [ids, table]) => {
    const dtable = buffer ?? tf.zerosLike(table);
    runKernel('FourfoldEmbeddingGrad', { ids, dy, dtable });
    return { [input]: buffer ? tf.scalar(0) : dtable };
  });
  return outputs[0];
}
