/** Light on purpose: the command line and the configurations name devices without loading tfjs. */
export const DEVICES = ['auto', 'native', 'tensorflow', 'webgpu', 'wasm', 'cpu'] as const;

/** What computes: `cpu` is tfjs's own JavaScript kernels, for comparison. */
export type Device = Exclude<(typeof DEVICES)[number], 'auto'>;
