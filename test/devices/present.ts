import { type Device, useDevice } from '../../backends/device.js';
import { isUserError } from '../../util/errors.js';

/** The devices that are compared with `native`. */
const OTHERS = ['tensorflow', 'webgpu', 'wasm'] as const;

/** Those of them that are here; why another is not is printed. FOURFOLD_TEST_DEVICES restricts them, and makes those that it names a must. */
export async function otherDevices(): Promise<Device[]> {
  const wanted = process.env.FOURFOLD_TEST_DEVICES?.split(',');
  const present: Device[] = [];
  for (const device of OTHERS) {
    if (wanted && !wanted.includes(device)) continue;
    try {
      await useDevice(device, { threads: 2 });
      present.push(device);
    } catch (error) {
      if (wanted || !isUserError(error)) throw error;
      console.warn(`      ${device} is skipped: ${error.message}`);
    }
  }
  await useDevice('native', { threads: 2 });
  return present;
}
