import * as tf from '@tensorflow/tfjs';
import type { NativeEngine } from '../backend.js';

interface Attributes {
  heads: number;
  kvHeads: number;
  causal: boolean;
}

/** The kernels behind ops/attention.ts and model/kv-cache.ts. */
export function registerAttention(engine: NativeEngine): void {
  const { kernels } = engine;
  const h = (tensor: tf.TensorInfo) => engine.handle(tensor);
  const sizes = (qkv: tf.TensorInfo, { heads, kvHeads }: Attributes) => {
    const [B, T, W] = qkv.shape;
    return { B, T, W, D: W / (heads + 2 * kvHeads) };
  };
  const register = (kernelName: string, run: (inputs: Record<string, tf.TensorInfo>, attributes: Attributes) => tf.TensorInfo[]) =>
    tf.registerKernel({
      kernelName,
      backendName: 'native',
      kernelFunc: ({ inputs, attrs }) => run(inputs as Record<string, tf.TensorInfo>, attrs as unknown as Attributes),
    });

  register('FourfoldAttention', ({ qkv, segments }, attributes) => {
    const { B, T, W, D } = sizes(qkv, attributes);
    const { heads, kvHeads, causal } = attributes;
    const o = engine.make([B, T, heads * D]);
    const lse = engine.make([B, heads, T]);
    kernels.attention(h(qkv), h(segments), h(o), h(lse), B, T, W, heads, kvHeads, D, Number(causal));
    return [o, lse];
  });
  register('FourfoldAttentionGrad', ({ qkv, segments, o, lse, dy }, attributes) => {
    const { B, T, W, D } = sizes(qkv, attributes);
    const { heads, kvHeads, causal } = attributes;
    const dqkv = engine.make(qkv.shape);
    kernels.attentionGrad(h(qkv), h(segments), h(o), h(lse), h(dy), h(dqkv), B, T, W, heads, kvHeads, D, Number(causal));
    return [dqkv];
  });
  register('FourfoldCachedAttention', ({ qkv, keys, values, lengths, newTokens, slots }, attributes) => {
    const { B, T, W, D } = sizes(qkv, attributes);
    const { heads, kvHeads } = attributes;
    const o = engine.make([B, T, heads * D]);
    kernels.cachedAttention(
      h(qkv),
      h(keys),
      h(values),
      h(lengths),
      engine.optional(newTokens),
      engine.optional(slots),
      h(o),
      B,
      T,
      W,
      heads,
      kvHeads,
      D,
      keys.shape[2],
      keys.shape[0],
    );
    return [o];
  });
  tf.registerKernel({
    kernelName: 'FourfoldCacheAdvance',
    backendName: 'native',
    kernelFunc: ({ inputs: { lengths, newTokens, slots }, attrs }) => {
      const [S] = lengths!.shape;
      const B = slots?.shape[0] ?? S;
      kernels.cacheAdvance(h(lengths!), engine.optional(newTokens), engine.optional(slots), B, attrs!.tokens as number, S);
      return [];
    },
  });
  tf.registerKernel({
    kernelName: 'FourfoldCacheTake',
    backendName: 'native',
    kernelFunc: ({ inputs: { x, from, counts } }) => {
      const [S, KV, N, D] = x!.shape;
      kernels.cacheTake(h(x!), h(from!), h(counts!), S, KV, N, D);
      return [];
    },
  });
  tf.registerKernel({
    kernelName: 'FourfoldCacheDrop',
    backendName: 'native',
    kernelFunc: ({ inputs }) => {
      const [B, KV, N, D] = inputs.x!.shape;
      kernels.cacheDrop(h(inputs.x!), h(inputs.lengths!), h(inputs.drop!), B, KV, N, D);
      return [];
    },
  });
}
