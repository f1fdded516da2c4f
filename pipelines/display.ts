/** The progress of a whole pipeline: a line that is redrawn on a terminal; elsewhere a line where a step begins and ends, and now and then one between. */
import { duration, type ProgressStream, stepsDone } from '../training/progress.js';

const REDRAW_MS = 100;
const QUIET_MS = 30_000;

export class Display {
  private drawnAt = Number.NEGATIVE_INFINITY;
  private head = '';
  private began = 0;
  private later: number | undefined;

  constructor(
    private readonly stream: ProgressStream = process.stderr,
    private readonly now: () => number = Date.now,
  ) {}

  /** @param later seconds of the steps after it, as far as one knows; undefined: one does not. */
  begin(number: number, count: number, name: string, what: string, later: number | undefined): void {
    Object.assign(this, { head: `[${number}/${count}] ${name}`, began: this.now(), later });
    this.drawnAt = this.now();
    if (this.stream.isTTY) this.draw(what);
    else this.stream.write(`${this.head}: ${what}\n`);
  }

  /** A line that the step wrote. */
  line(text: string): void {
    const wait = this.stream.isTTY ? REDRAW_MS : QUIET_MS;
    if (this.now() - this.drawnAt < wait) return;
    this.drawnAt = this.now();
    const shown = `${text}${this.left(text)}`;
    if (this.stream.isTTY) this.draw(shown);
    else this.stream.write(`${this.head} · ${shown}\n`);
  }

  /** A step that is not run, in a line that stays. */
  skip(number: number, count: number, name: string, text: string): void {
    this.head = `[${number}/${count}] ${name}`;
    this.end(text);
  }

  /** How a step ended, in a line that stays. */
  end(text: string): void {
    if (this.stream.isTTY) this.stream.write('\r\x1b[K');
    this.stream.write(`${this.head}: ${text}\n`);
  }

  /** Time left of the whole: of this step by how far it is, of the later ones as it was said. */
  private left(text: string): string {
    const steps = stepsDone(text);
    if (this.later === undefined || steps === undefined || steps.done === 0) return '';
    const own = ((this.now() - this.began) / steps.done) * (steps.total - steps.done);
    return ` · all: ${duration(own + 1000 * this.later)} left`;
  }

  private draw(text: string): void {
    this.stream.write(`\r\x1b[K${`${this.head} · ${text}`.slice(0, (this.stream.columns ?? 80) - 1)}`);
  }
}
