import { createHash } from 'node:crypto';
import type { Message } from '../../tokenizer/index.js';
import { wrongRoles } from '../conversations.js';
import { comparable, type Preference } from '../preferences.js';
import type { RawMessage } from './chat-messages.js';
import { withoutEmptySystem, wrongText } from './chats.js';
import { type Excerpt, type Found, MAX_DOCUMENT_BYTES, type Place, type Reason } from './found.js';

/** What a row gives, before the rules are asked: two answers or more, and one rank (margin, score) for each. */
export interface Ranking extends Omit<Preference, 'prompt' | 'source'> {
  prompt: RawMessage[];
}

/**
 * Rankings that an importer finds, as they wait to be taken; what breaks the rules goes to `found`. Which pairs it has seen is remembered, about 100
 * bytes a pair, so that one that is ranked both ways by the same annotator (or by nobody who is named) is noticed.
 */
export class Rankings {
  /** UTF-8 of the texts that wait. */
  size = 0;
  /** Pairs that were ranked both ways and are not among the known ones. */
  readonly contradicted = new Set<string>();
  private rows: Preference[] = [];
  private readonly better = new Map<string, boolean>();

  /** @param known pairs that are ranked both ways: their rows are put aside. */
  constructor(
    readonly found: Found,
    private readonly known: ReadonlySet<string> = new Set(),
  ) {}

  get length(): number {
    return this.rows.length;
  }

  /**
   * Adds what follows the rules: a prompt that ends with a question, answers that have text and are not the same. An answer that is empty or there
   * already is put aside by itself where the others still hold a comparison (or are all ties, as the row was); otherwise the row is.
   */
  add({ prompt: given, ...ranking }: Ranking, place: Place, excerpt: Excerpt): void {
    const prompt = withoutEmptySystem(given);
    const { kept, problems } = usable(ranking, this.found);
    const enough = kept.responses.length > 1 && (comparable(kept) || !comparable(ranking));
    const wrong = this.wrong(prompt) ?? (enough ? undefined : problems[0]);
    const row: Preference = { prompt: prompt as Message[], ...kept, source: this.found.source };
    const size = [...prompt.map(({ content }) => content), ...kept.responses].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    if (wrong !== undefined) this.found.reject(place, ...wrong, excerpt);
    else if (size > MAX_DOCUMENT_BYTES) this.found.tooLarge(place, size, Buffer.from(prompt[0].content.slice(0, 200)));
    else if (this.contradicts(row)) this.found.reject(place, 'contradicting answers', contradiction(row), excerpt);
    else {
      for (const problem of problems) this.found.reject(place, ...problem, excerpt);
      this.size += size;
      this.rows.push(row);
    }
  }

  /** What waits. It is the caller's now. */
  take(): Preference[] {
    this.size = 0;
    return this.rows.splice(0);
  }

  private wrong(prompt: readonly RawMessage[]): [Reason, detail: string] | undefined {
    const order = wrongRoles(prompt.map(({ role }) => role), 'user'); // biome-ignore format: short
    if (order !== undefined) return ['wrong roles', `of the prompt, ${order}`];
    for (const [i, { content }] of prompt.entries()) {
      const wrong = wrongText(content, `message ${i + 1} of the prompt`, this.found);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  /** Whether a pair of the row is known to be ranked both ways; remembers the others. */
  private contradicts(row: Preference): boolean {
    const pairs = pairsOf(row);
    if (pairs.some(({ key }) => this.known.has(key))) return true;
    for (const { key, firstIsBetter } of pairs) {
      const before = this.better.get(key);
      if (before === undefined) this.better.set(key, firstIsBetter);
      else if (before !== firstIsBetter) this.contradicted.add(key);
    }
    return false;
  }
}

/** The answers of a row that can be used, and what is wrong with the others. */
function usable(ranking: Omit<Ranking, 'prompt'>, found: Found): { kept: Omit<Ranking, 'prompt'>; problems: [Reason, detail: string][] } {
  const { responses, ranks, margins, scores, annotator } = ranking;
  const problems: [Reason, detail: string][] = [];
  const places = new Map<string, number>(); // of each text
  const torn = new Set<number>(); // texts that have two ranks
  responses.forEach((text, i) => {
    const wrong = wrongText(text, `answer ${i + 1}`, found);
    const same = places.get(text.trim());
    if (wrong !== undefined) problems.push(wrong);
    else if (same === undefined) places.set(text.trim(), i);
    else {
      const ranked = ranks[same] === ranks[i] ? '' : `, and their ranks are ${ranks[same]} and ${ranks[i]}`;
      if (ranked !== '') torn.add(same);
      problems.push(['identical answers', `answers ${same + 1} and ${i + 1} are the same text${ranked}`]);
    }
  });
  if (problems.length === 0) return { kept: ranking, problems };
  const indices = [...places.values()].filter((i) => !torn.has(i));
  const of = <T>(list: readonly T[]) => indices.map((i) => list[i]);
  const optional = { margins: margins && of(margins), scores: scores && of(scores), annotator };
  return { kept: { responses: of(responses), ranks: of(ranks), ...optional }, problems };
}

/** The pairs of different ranks: a name for the prompt, both answers and the annotator, and whether the one that is first by its text is better. */
function pairsOf({ prompt, responses, ranks, annotator }: Preference): { key: string; firstIsBetter: boolean }[] {
  const said = JSON.stringify([annotator ?? null, prompt.map(({ role, content }) => [role, content])]);
  return responses.flatMap((a, i) =>
    responses.slice(i + 1).flatMap((b, n) => {
      const difference = ranks[i] - ranks[i + 1 + n];
      if (difference === 0) return [];
      const texts = JSON.stringify(a < b ? [a, b] : [b, a]);
      const key = createHash('sha256').update(said).update(texts).digest('base64').slice(0, 22);
      return [{ key, firstIsBetter: a < b === difference < 0 }];
    }),
  );
}

function contradiction({ annotator }: Preference): string {
  const by = annotator === undefined ? 'and no annotator is named' : `by the same annotator, ${annotator}`;
  return `another row ranks two of its answers the other way, ${by}`;
}
