// Legend: V vocabulary, C width; `..` any dimensions.
import * as tf from '@tensorflow/tfjs';
import { hasKernel, offTape, onTape, runKernel } from './fused.js';
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
  const fused = hasKernel('FourfoldEmbedding');
  const place = gradientPlace(table);
  const root = tapeRoot();
  const outputs = fused ? runKernel('FourfoldEmbedding', { ids, table }) : [offTape(() => tf.gather(table, ids as tf.Tensor1D))];
  // A frozen table's node is there all the same: what follows hangs on it.
  const [input, from]: [string, tf.Tensor] = !place.overTape && root ? ['root', root] : ['table', table];
  onTape('FourfoldEmbedding', { [input]: from }, outputs, [ids], ([dy], [ids]) => {
    const dtable = fused ? place.target() : place.put(() => sumsById(dy, ids, table.shape));
    if (fused && dtable) runKernel('FourfoldEmbeddingGrad', { ids, dy, dtable });
    return { [input]: place.overTape ? dtable! : tf.scalar(0) };
  });
  return outputs[0];
}

/** [V, C]: of each id the sum of the rows of dy that it stands at. */
function sumsById(dy: tf.Tensor, ids: tf.Tensor, [V, C]: [number, number]): tf.Tensor {
  return tf.unsortedSegmentSum(tf.reshape(dy, [ids.size, C]), tf.reshape(ids, [ids.size]), V);
}
