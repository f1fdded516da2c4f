/** Measures how fast a run learns: what evaluating, sampling and saving take does not count. */
export class Speed {
  private readonly began: number;
  private measured: { at: number; tokens: number; paused: number };

  /** @param tokens that the run had learned from before. */
  constructor(
    private readonly before: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.began = now();
    this.measured = { at: this.began, tokens: before, paused: 0 };
  }

  /** Since the last call, and since the beginning. */
  measure(tokens: number): { tokens_per_second: number; seconds: number } {
    const at = this.now();
    const { at: since, tokens: had, paused } = this.measured;
    this.measured = { at, tokens, paused: 0 };
    return { tokens_per_second: ((tokens - had) / (at - since - paused)) * 1000, seconds: (at - this.began) / 1000 };
  }

  /** Runs what is no training. */
  async pause<T>(work: () => Promise<T>): Promise<T> {
    const start = this.now();
    try {
      return await work();
    } finally {
      this.measured.paused += this.now() - start;
    }
  }

  /** Of the whole, pauses included. */
  total(tokens: number): { seconds: number; tokens_per_second: number } {
    const seconds = (this.now() - this.began) / 1000;
    return { seconds, tokens_per_second: (tokens - this.before) / seconds };
  }
}
