/** Light on purpose: the command line asks for the counts without loading tfjs. */
const counts = new Map<string, number>();

/** Notes that tfjs's own CPU kernel of this name ran on the engine's memory. */
export function countFallback(kernel: string): void {
  counts.set(kernel, (counts.get(kernel) ?? 0) + 1);
}

/** How often each of tfjs's own CPU kernels ran on the engine's memory so far: what has no kernel here, or none for such inputs. Most often first. */
export function fallbackCounts(): Record<string, number> {
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}

/** The counts in a line for the user, or undefined when the engine did everything itself. */
export function fallbackReport(): string | undefined {
  const entries = Object.entries(fallbackCounts()).map(([kernel, times]) => `${kernel} ${times}×`);
  return entries.length > 0 ? `slower, on tfjs's CPU kernels for want of a native one: ${entries.join(', ')}` : undefined;
}
