/** The progress of a run: one line redrawn in place on a terminal, plain lines elsewhere. */

/** The part of a stream that is written to: process.stderr, or a test's. */
export interface ProgressStream {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

export interface ProgressUpdate {
  /** Steps done. */
  step: number;
  loss: number;
  tokensPerSecond: number;
  /** What else a person wants to see, such as `score 0.412`. */
  facts?: readonly string[];
  /** Of the machine's peak, measured; 0 to 1. */
  peakFraction?: number;
}

const REDRAW_MS = 100;

export class Progress {
  private started: { step: number; time: number } | undefined;
  private drawnAt = Number.NEGATIVE_INFINITY;
  private line = '';

  constructor(
    private readonly total: number,
    private readonly stream: ProgressStream = process.stderr,
    private readonly now: () => number = Date.now,
  ) {}

  /** Sets the clock for the time left: call it before the first step, with the steps that a resumed run has behind it. */
  start(step: number): void {
    this.started = { step, time: this.now() };
  }

  /** On a terminal, redraws at most ten times a second; elsewhere, a line for each call. */
  update(update: ProgressUpdate): void {
    this.line = this.format(update);
    if (!this.stream.isTTY) {
      this.stream.write(`${this.line}\n`);
    } else if (this.now() - this.drawnAt >= REDRAW_MS || update.step >= this.total) {
      this.draw();
    }
  }

  /** Prints a line that stays, above the progress line. */
  note(text: string): void {
    if (this.stream.isTTY) this.stream.write('\r\x1b[K');
    this.stream.write(`${text}\n`);
    if (this.stream.isTTY && this.line) this.draw();
  }

  /** Leaves the last state standing. */
  end(): void {
    if (!this.stream.isTTY || !this.line) return;
    this.draw();
    this.stream.write('\n');
    this.line = '';
  }

  private draw(): void {
    this.drawnAt = this.now();
    this.stream.write(`\r\x1b[K${this.line.slice(0, (this.stream.columns ?? 80) - 1)}`);
  }

  private format({ step, loss, tokensPerSecond, facts = [], peakFraction }: ProgressUpdate): string {
    const parts = [
      `step ${step}/${this.total}`,
      `loss ${loss.toFixed(4)}`,
      ...facts,
      `${Math.round(tokensPerSecond).toLocaleString('en-US')} tokens/s`,
    ];
    const done = this.started ? step - this.started.step : 0;
    if (this.started && done > 0) parts.push(`${duration(((this.now() - this.started.time) / done) * (this.total - step))} left`);
    if (peakFraction !== undefined) parts.push(`${(100 * peakFraction).toFixed(0)}% of peak`);
    return parts.join(' · ');
  }
}

/** How far a run is, read from a line that it printed. */
export function stepsDone(line: string): { done: number; total: number } | undefined {
  const [, done, total] = /^step (\d+)\/(\d+)/.exec(line) ?? [];
  return done === undefined ? undefined : { done: Number(done), total: Number(total) };
}

/** `45s`, `3m 05s`, `2h 07m`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const two = (n: number) => String(n).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h ${two(Math.floor((seconds % 3600) / 60))}m`;
}
