import { matrixShape } from '../../matrix-shape.js';
import { elementwise, register, runElementwise, sizeOf } from './common.js';

export type Activation = 'gelu' | 'gelu_new';

/** Error function to one unit in the last place: polynomials fitted by N. Juffa. */
const ERF = `
fn erf(x: f32) -> f32 {
  let t = abs(x);
  let s = x * x;
  if (t > 0.927734375) {
    var r = fma(fma(-1.72853470e-5, t, 3.83197126e-4), s, fma(-3.88396438e-3, t, 2.42546219e-2));
    r = fma(fma(fma(r, t, -1.06777877e-1), t, -6.34846687e-1), t, -1.28717512e-1);
    return sign(x) * (1 - exp(fma(r, t, -t)));
  }
  var r = fma(fma(-5.96761703e-4, s, 4.99119423e-3), s, -2.67681349e-2);
  r = fma(fma(fma(r, s, 1.12819925e-1), s, -3.76125336e-1), s, 1.28379166e-1);
  return fma(r, x, x);
}`;

/** ½ (1 + tanh(u)) as sigmoid(2u), which keeps its digits where tanh is all but -1. */
const APPROXIMATE = `
fn gate(x: f32) -> f32 { return 1 / (1 + exp(${-2 * Math.sqrt(2 / Math.PI)} * x * (1 + 0.044715 * x * x))); }`;

/** The WGSL functions of an activation: `value` defines one of its own name, `slope` one named slope, its derivative. */
export const ACTIVATIONS: Record<Activation, { value: string; slope: string }> = {
  gelu: {
    value: `${ERF}\nfn gelu(x: f32) -> f32 { return 0.5 * x * (1 + erf(${Math.SQRT1_2} * x)); }`,
    slope: `${ERF}\nfn slope(x: f32) -> f32 {
  return 0.5 * (1 + erf(${Math.SQRT1_2} * x)) + x * ${1 / Math.sqrt(2 * Math.PI)} * exp(-0.5 * x * x);
}`,
  },
  gelu_new: {
    value: `${APPROXIMATE}\nfn gelu_new(x: f32) -> f32 { return x * gate(x); }`,
    slope: `${APPROXIMATE}\nfn slope(x: f32) -> f32 {
  let g = gate(x);
  return g + x * g * (1 - g) * ${2 * Math.sqrt(2 / Math.PI)} * (1 + ${3 * 0.044715} * x * x);
}`,
  },
};

const forward = (kind: Activation) =>
  elementwise(kind, {
    buffers: { x: 'f32', y: 'f32 written' },
    numbers: {},
    declarations: ACTIVATIONS[kind].value,
    code: `y[index] = ${kind}(x[index]);`,
  });
const backward = (kind: Activation) =>
  elementwise(`${kind}Grad`, {
    buffers: { x: 'f32', dy: 'f32', dx: 'f32 written' },
    numbers: {},
    declarations: ACTIVATIONS[kind].slope,
    code: 'dx[index] = dy[index] * slope(x[index]);',
  });
const GELU = { gelu: forward('gelu'), gelu_new: forward('gelu_new') };
/** dx = dy · the slope of the activation at x. */
export const GELU_GRAD = { gelu: backward('gelu'), gelu_new: backward('gelu_new') };

/** Element `index` of [M, F]: gate and up stand in row `index / F` of [M, 2·F]. */
const PARTS = 'let at = index / numbers.F * 2u * numbers.F + index % numbers.F;\nlet gate = x[at];\nlet up = x[at + numbers.F];';
const SIGMOID = 'let open = 1 / (1 + exp(-gate));';
const SWIGLU = elementwise('swiglu', {
  buffers: { x: 'f32', y: 'f32 written' },
  numbers: { F: 'u32' },
  code: `${PARTS}\n${SIGMOID}\ny[index] = gate * open * up;`,
});
const SWIGLU_GRAD = elementwise('swigluGrad', {
  buffers: { x: 'f32', dy: 'f32', dx: 'f32 written' },
  numbers: { F: 'u32' },
  code: `${PARTS}\n${SIGMOID}
dx[at] = dy[index] * up * open * (1 + gate * (1 - open));
dx[at + numbers.F] = dy[index] * gate * open;`,
});

/** The kernels behind ops/swiglu.ts and ops/gelu.ts. */
export function registerActivations(): void {
  register('FourfoldSwiglu', (engine, { x }) => {
    const [M, width] = matrixShape(x);
    const F = width / 2;
    const y = engine.make([...x.shape.slice(0, -1), F]);
    runElementwise(engine, SWIGLU, { x, y }, M * F, { F });
    return [y];
  });
  register('FourfoldSwigluGrad', (engine, { x, dy }) => {
    const [M, width] = matrixShape(x);
    const F = width / 2;
    const dx = engine.make(x.shape);
    runElementwise(engine, SWIGLU_GRAD, { x, dy, dx }, M * F, { F });
    return [dx];
  });
  register<{ tanh: boolean }>('FourfoldGelu', (engine, { x }, { tanh }) => {
    const y = engine.make(x.shape);
    runElementwise(engine, GELU[tanh ? 'gelu_new' : 'gelu'], { x, y }, sizeOf(x));
    return [y];
  });
  register<{ tanh: boolean }>('FourfoldGeluGrad', (engine, { x, dy }, { tanh }) => {
    const dx = engine.make(x.shape);
    runElementwise(engine, GELU_GRAD[tanh ? 'gelu_new' : 'gelu'], { x, dy, dx }, sizeOf(x));
    return [dx];
  });
}
