import { readFileSync } from 'node:fs';

/** Measures what else ran on the machine, so that a figure taken beside other work is recognised. */
export class OtherLoad {
  private readonly at = performance.now();
  private readonly busy = busySeconds();
  private readonly own = ownSeconds();

  /** Processor time that others used since the start, in cores; 0 where the system does not say (no /proc/stat). */
  cores(): number {
    const seconds = (performance.now() - this.at) / 1000;
    return Math.max(0, (busySeconds() - this.busy - (ownSeconds() - this.own)) / seconds);
  }
}

function ownSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** All processes' user, nice, system, irq and softirq time, in seconds. */
function busySeconds(): number {
  try {
    const fields = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0].trim().split(/\s+/).slice(1).map(Number);
    return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) / 100;
  } catch {
    return 0;
  }
}
