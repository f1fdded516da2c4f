const REDRAW_MS = 100;

/** One line on stderr, redrawn in place while something goes on and gone when it is over; nothing where stderr is no terminal. */
export function progressLine(stream: { isTTY?: boolean; write(text: string): unknown } = process.stderr): {
  show(text: string): void;
  end(): void;
} {
  let drawnAt = Number.NEGATIVE_INFINITY;
  return {
    show(text) {
      if (!stream.isTTY || performance.now() - drawnAt < REDRAW_MS) return;
      stream.write(`\r\x1b[K${text}`);
      drawnAt = performance.now();
    },
    end() {
      if (stream.isTTY && drawnAt > Number.NEGATIVE_INFINITY) stream.write('\r\x1b[K');
    },
  };
}
