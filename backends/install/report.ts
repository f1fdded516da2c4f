/** Says what an install does, and how long it takes. */
export interface Report {
  say(line: string): void;
  /** Does `work`; its name is said before it, its time after it. */
  timed<T>(name: string, work: () => Promise<T>): Promise<T>;
}

export function reportTo(say: (line: string) => void): Report {
  return {
    say,
    async timed(name, work) {
      say(`${name} …`);
      const began = performance.now();
      const result = await work();
      say(`  done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
      return result;
    },
  };
}
