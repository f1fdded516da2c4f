// Legend: V vocabulary, C width; `..` any dimensions.
import * as tf from '@tensorflow/tfjs';
import { hasKernel, onTape, runKernel } from './fused.js';
import { gradientPlace, tapeRoot } from './gradients.js';

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
  const place = gradientPlace(table);
  const root = tapeRoot();
  const outputs = runKernel('FourfoldEmbedding', { ids, table });
  // A frozen table's node is there all the same: what follows hangs on it.
  const [input, from]: [string, tf.Tensor] = !place.overTape && root ? ['root', root] : ['table', table];
  onTape('FourfoldEmbedding', { [input]: from }, outputs, [ids], ([dy], [ids]) => {
    const dtable = place.target();
    if (dtable) runKernel('FourfoldEmbeddingGrad', { ids, dy, dtable });
    return { [input]: place.overTape ? dtable! : tf.scalar(0) };
  });
  return outputs[0];
}
