import fs from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { UserError } from '../../util/errors.js';
import { RandomStream } from '../../util/random.js';
import { CAMPUSES, CITIES, type Language, NAMES, SUBJECTS, type Word, YEARS } from './words.js';

/**
 * Where a university appears. `known`: in the corpus, so that a model may be asked about it without a text. `passage`: in texts that stand in
 * training prompts, and in corpus documents that say the same thing twice. `eval`, `report`: only in the texts of those prompts; never in training.
 */
export type Appearance = 'known' | 'passage' | 'eval' | 'report';

export interface University {
  name: Word;
  appearance: Appearance;
  city: Word;
  founded: number;
  /** The main campus. */
  campus: Word;
  /** The other one. */
  branch: Word;
  subject: Word;
}

/** All that is true: what `world.json` holds. */
export interface World {
  seed: number;
  /** 1: about 2 M tokens of corpus, 50 known universities. */
  size: number;
  languages: Language[];
  universities: University[];
}

/** What one may ask about a university and be answered. */
export type Attribute = 'city' | 'founded' | 'campus' | 'subject';
export const ATTRIBUTES: readonly Attribute[] = ['city', 'founded', 'campus', 'subject'];

/** Numbers of streams: each part of the world draws from its own, so that a change in one moves no other. */
export const STREAM = {
  facts: 0x570,
  corpus: 0x571,
  conversations: 0x572,
  preferences: 0x573,
  rollout: 0x574,
  eval: 0x575,
  report: 0x576,
  examples: 0x577,
};

/** Where a directory of the world holds its facts. */
export const WORLD_FILE = 'world.json';

/** Sizes that names suffice for. */
export const SIZES = { smallest: 0.1, largest: 10 };

/** The facts of a world; a pure function of its arguments. */
export function makeWorld({ seed, size, languages }: Pick<World, 'seed' | 'size' | 'languages'>): World {
  const draws = new RandomStream(seed, STREAM.facts);
  const names = [...shuffled(NAMES.short, draws), ...shuffled(NAMES.long, draws)];
  const counts: [Appearance, number][] = [
    ['known', Math.max(10, Math.round(50 * size))],
    ['report', Math.max(8, Math.round(50 * Math.sqrt(size)))],
    ['eval', Math.max(6, Math.round(30 * Math.sqrt(size)))],
    ['passage', 600], // so many that it is easier to look them up than to learn them by heart
  ];
  const universities = counts.flatMap(([appearance, count]) => names.splice(0, count).map((name) => ({ name, appearance })));
  const dealt = { city: deck(CITIES, draws), founded: deck(YEARS, draws), campus: deck(CAMPUSES, draws), subject: deck(SUBJECTS, draws) };
  return {
    seed,
    size,
    languages,
    universities: universities.map((university) => {
      const campus = dealt.campus();
      const others = CAMPUSES.filter((other) => other !== campus);
      return {
        ...university,
        city: dealt.city(),
        founded: dealt.founded(),
        campus,
        branch: pick(others, draws),
        subject: dealt.subject(),
      };
    }),
  };
}

/** Deals items in random order, all of them before any comes again, so that each is about equally frequent. */
function deck<T>(items: readonly T[], draws: RandomStream): () => T {
  let left: T[] = [];
  return () => {
    if (left.length === 0) left = shuffled(items, draws);
    return left.pop()!;
  };
}

export function pick<T>(items: readonly T[], draws: RandomStream): T {
  return items[draws.below(items.length)];
}

/** Fisher and Yates. */
export function shuffled<T>(items: readonly T[], draws: RandomStream): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = draws.below(i + 1);
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

/** Picks an item by its weight. */
export function weighted<T extends string>(weights: Readonly<Record<T, number>>, draws: RandomStream): T {
  const entries = Object.entries(weights) as [T, number][];
  let left = draws.uniform() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [item, weight] of entries) {
    left -= weight;
    if (left < 0) return item;
  }
  return entries.at(-1)![0];
}

/** The value of an attribute as it is written. */
export function written(university: University, attribute: Attribute, language: Language): string {
  return attribute === 'founded' ? String(university.founded) : university[attribute][language];
}

/** Reads the facts that `fourfold data world` wrote. @throws UserError when they are not there. */
export async function readWorld(directory: string): Promise<World> {
  const file = path.join(directory, WORLD_FILE);
  const wrong = (received: string, cause?: unknown) =>
    new UserError(
      `read the built-in world: ${file} must be the facts that fourfold data world writes; ${received}. Make them with fourfold data world -o ${directory}`,
      1,
      { cause },
    );
  const text = await fs.readFile(file, 'utf8').catch((error) => Promise.reject(wrong('it cannot be read', error)));
  let found: Partial<World> | null;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw wrong('it is no JSON', error);
  }
  const { seed, size, languages } = found ?? {};
  if (typeof seed !== 'number' || typeof size !== 'number' || !Array.isArray(languages)) throw wrong('it has no seed, size and languages');
  const world = makeWorld({ seed, size, languages });
  if (!isDeepStrictEqual(world, found)) throw wrong('its facts are not those of its seed: it was changed, or another version made it');
  return world;
}
