/** Texts in UTF-8, one after another: text i is `text[offsets[i] … offsets[i + 1])`. */
export interface TextBatch {
  text: Uint8Array<ArrayBuffer>;
  offsets: Int32Array<ArrayBuffer>;
}

const BATCH_BYTES = 1 << 20;

/** Gathers texts into batches of about a megabyte. Lone surrogates become U+FFFD. */
export async function* textBatches(texts: AsyncIterable<string> | Iterable<string>): AsyncGenerator<TextBatch> {
  let gathered: Buffer[] = [];
  let bytes = 0;
  for await (const text of texts) {
    gathered.push(Buffer.from(text, 'utf8'));
    bytes += gathered.at(-1)!.length;
    if (bytes < BATCH_BYTES) continue;
    yield joined(gathered, bytes);
    [gathered, bytes] = [[], 0];
  }
  if (gathered.length > 0) yield joined(gathered, bytes);
}

/** Batches of at most about two megabytes; a longer text is cut where that changes none of its words. */
export async function* cutBatches(batches: AsyncIterable<TextBatch> | Iterable<TextBatch>): AsyncGenerator<TextBatch> {
  for await (const { text, offsets } of batches) {
    if (text.length <= 2 * BATCH_BYTES) {
      yield { text, offsets };
      continue;
    }
    let gathered: Uint8Array[] = [];
    let bytes = 0;
    for (let i = 0; i + 1 < offsets.length; i++) {
      for (let start = offsets[i]; start < offsets[i + 1]; ) {
        const end = offsets[i + 1] - start <= 2 * BATCH_BYTES ? offsets[i + 1] : wordsBegin(text, start + BATCH_BYTES, offsets[i + 1]);
        gathered.push(text.subarray(start, end));
        bytes += end - start;
        start = end;
        if (bytes < BATCH_BYTES) continue;
        yield joined(gathered, bytes);
        [gathered, bytes] = [[], 0];
      }
    }
    if (gathered.length > 0) yield joined(gathered, bytes);
  }
}

/**
 * First place after `from` in UTF-8 that follows a line end and holds no space: there every one of our splitters begins a new word, whatever
 * stands before. `end` where there is none.
 */
export function wordsBegin(text: Uint8Array, from: number, end = text.length): number {
  for (let i = text.indexOf(0x0a, from) + 1; i > 0 && i < end; i = text.indexOf(0x0a, i) + 1) {
    if (text[i] > 0x20 && !BEFORE_SPACE.has(text[i])) return i;
  }
  return end;
}

/** First bytes of the spaces beyond ASCII. */
const BEFORE_SPACE = new Set([0xc2, 0xe1, 0xe2, 0xe3]);

function joined(parts: readonly Uint8Array[], bytes: number): TextBatch {
  const text = new Uint8Array(bytes);
  const offsets = new Int32Array(parts.length + 1);
  parts.forEach((part, i) => {
    text.set(part, offsets[i]);
    offsets[i + 1] = offsets[i] + part.length;
  });
  return { text, offsets };
}

const WORTH_THREADS = 1 << 24; // bytes; less is done before a thread has begun

/** Whether there is so much text that threads are worth their start; and all of it. */
export async function lookAhead(
  batches: AsyncIterable<TextBatch> | Iterable<TextBatch>,
): Promise<{ isMore: boolean; all: AsyncIterable<TextBatch> }> {
  const iterator = (async function* () {
    yield* batches;
  })();
  const seen: TextBatch[] = [];
  let left = WORTH_THREADS;
  while (left >= 0) {
    const next = await iterator.next();
    if (next.done) break;
    seen.push(next.value);
    left -= next.value.text.length;
  }
  async function* all() {
    yield* seen;
    yield* iterator;
  }
  return { isMore: left < 0, all: all() };
}
