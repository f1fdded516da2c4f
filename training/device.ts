import { checkPrecision, type DeviceDescription, useDevice } from '../backends/device.js';
import { type Precision, setPrecision } from '../ops/precision.js';

/** Where and how to compute. */
export interface Machine {
  device: Parameters<typeof useDevice>[0];
  threads?: number;
  precision?: Precision;
}

/** Takes a device and a precision in use. @throws UserError when they are not there. */
export async function takeDevice(
  { device, threads, precision = 'fp32' }: Machine,
  warn: (text: string) => void,
): Promise<DeviceDescription> {
  const taken = await useDevice(device, { threads, warn });
  checkPrecision(precision);
  setPrecision(precision);
  return taken;
}

/** The device in words, as a run says it: on native (avx2), 2 threads. */
export function onDevice({ device, isa, threads }: DeviceDescription): string {
  return `on ${device}${isa ? ` (${isa})` : ''}, ${threads} thread${threads === 1 ? '' : 's'}`;
}
