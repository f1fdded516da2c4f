import type { RandomStream } from '../../util/random.js';
import { filled, type Grammar, type Told } from './grammar.js';
import { grammars } from './grammars.js';
import { inCity } from './questions.js';
import { CITIES, type Language } from './words.js';
import { pick, shuffled, type University, type World, weighted, written } from './world.js';

/** A text of the corpus. */
export interface Document {
  text: string;
  /** encyclopaedia, notices, letters, tables, comparisons or dialogues. */
  source: string;
}

const TOLD: readonly Told[] = ['city', 'founded', 'campus', 'branch', 'subject'];

/** What the corpus is made of. */
const SHARES = { encyclopaedia: 0.4, letters: 0.15, notices: 0.15, tables: 0.2, comparisons: 0.1 };

/** One document of the corpus. */
export function documentOf(world: World, language: Language, draws: RandomStream): Document {
  const known = world.universities.filter(({ appearance }) => appearance === 'known');
  const source = weighted(SHARES, draws);
  return { source, text: textOf(source, world, known, language, draws) };
}

function textOf(source: keyof typeof SHARES, world: World, known: readonly University[], language: Language, draws: RandomStream): string {
  const grammar = grammars[language];
  switch (source) {
    case 'encyclopaedia':
      return article(pick(known, draws), language, draws);
    case 'notices':
      return Array.from({ length: 2 + draws.below(2) }, () => notice(pick(known, draws), language, draws)).join('\n');
    case 'letters':
      return letter(pick(known, draws), language, draws);
    case 'tables':
      if (draws.uniform() < 0.4) return table(shuffled(known, draws).slice(0, 3 + draws.below(3)), language, draws);
      return sheet(pick(world.universities.filter(isInTraining), draws), language, draws); // biome-ignore format: short
    case 'comparisons': {
      const lines = Array.from({ length: 4 }, () =>
        draws.uniform() < 0.6 ? comparison(known, language, draws) : cityList(world, pick(CITIES, draws)[language], language, draws),
      );
      return lines.filter(Boolean).map((line) => grammar.text([line])).join('\n'); // biome-ignore format: short
    }
  }
}

const isInTraining = ({ appearance }: University) => appearance === 'known' || appearance === 'passage';

/** An article of an encyclopaedia. @param about what it tells, in any order; all that there is where not given. */
export function article(university: University, language: Language, draws: RandomStream, about: readonly Told[] = TOLD): string {
  const grammar = grammars[language];
  const left = shuffled(about, draws);
  const value = (told: Told) => (told === 'branch' ? university.branch[language] : written(university, told, language));
  const name = grammar.full(university.name[language]);
  const subject = () => (draws.uniform() < 0.4 ? name : pick(grammar.it, draws));
  const sentences: string[] = [];
  while (left.length > 0) {
    const first = sentences.length === 0;
    const together = left.splice(0, draws.uniform() < 0.4 ? 2 : 1).sort((a, b) => Number(a === 'branch') - Number(b === 'branch'));
    if (!first && together.length === 1 && draws.uniform() < 0.5) {
      const n = draws.uniform() < 0.5 ? name : grammar.it[1];
      sentences.push(filled(pick(grammar.inverted[together[0]], draws), { n, v: value(together[0]) }));
    } else {
      const predicates = together.map((told) => filled(pick(grammar.predicates[told], draws), { v: value(told) }));
      sentences.push(grammar.sentence(first ? name : subject(), predicates));
    }
  }
  return grammar.text(sentences);
}

function places(university: University, language: Language, draws: RandomStream): Record<string, string> {
  const { people, days } = grammars[language].documents;
  const values = Object.fromEntries(
    TOLD.map((told) => [told, told === 'branch' ? university.branch[language] : written(university, told, language)]),
  );
  return { ...values, n: grammars[language].full(university.name[language]), person: pick(people, draws), day: pick(days, draws) };
}

function notice(university: University, language: Language, draws: RandomStream): string {
  return filled(pick(grammars[language].documents.notices, draws), places(university, language, draws));
}

function letter(university: University, language: Language, draws: RandomStream): string {
  const grammar = grammars[language];
  const { greetings, parts, farewells } = grammar.documents.letters;
  const line = (template: string) => filled(template, places(university, language, draws));
  // The first part names the university, so that the others know of whom they speak.
  const [first, ...others] = shuffled(parts, draws).sort((a, b) => Number(b.includes('{n}')) - Number(a.includes('{n}')));
  const body = [first, ...shuffled(others, draws).slice(0, 2 + draws.below(3))];
  return [line(pick(greetings, draws)), grammar.text(body.map(line)), line(pick(farewells, draws))].join('\n');
}

function table(universities: readonly University[], language: Language, draws: RandomStream): string {
  const grammar = grammars[language];
  const { title, heads, cell } = grammar.documents.table;
  const columns = shuffled(TOLD, draws).slice(0, 2 + draws.below(2));
  const row = (university: University) => {
    const values = places(university, language, draws);
    return [values.n, ...columns.map((column) => values[column])].join(cell);
  };
  return [pick(title, draws), [heads.name, ...columns.map((column) => heads[column])].join(cell), ...universities.map(row)].join('\n');
}

/** The values of a university line by line, and the same in sentences: what stands above can be found again below. */
function sheet(university: University, language: Language, draws: RandomStream): string {
  const columns = shuffled(TOLD, draws).slice(0, 3 + draws.below(3));
  return `${lines(university, columns, language)}\n${article(university, language, draws, columns)}`;
}

/** The values of a university line by line. */
export function lines(university: University, columns: readonly Told[], language: Language): string {
  const grammar: Grammar = grammars[language];
  const { heads, line } = grammar.documents.table;
  const value = (told: Told) => (told === 'branch' ? university.branch[language] : written(university, told, language));
  const rows = columns.map((told) => filled(line, { head: heads[told], v: value(told) }));
  return [filled(line, { head: heads.name, v: grammar.full(university.name[language]) }), ...rows].join('\n');
}

function comparison(known: readonly University[], language: Language, draws: RandomStream): string {
  const grammar = grammars[language];
  const [n, o] = shuffled(known, draws)
    .slice(0, 2)
    .sort((a, b) => a.founded - b.founded);
  if (n.founded === o.founded) return '';
  return filled(pick(grammar.documents.older, draws), { n: grammar.full(n.name[language]), o: grammar.full(o.name[language]) });
}

function cityList(world: World, city: string, language: Language, draws: RandomStream): string {
  const grammar = grammars[language];
  const word = CITIES.find((known) => known[language] === city)!;
  const names = shuffled(inCity(world, word), draws).map(({ name }) => grammar.full(name[language]));
  return names.length === 0 ? '' : filled(pick(grammar.documents.inCity, draws), { city, l: grammar.and(names) });
}
