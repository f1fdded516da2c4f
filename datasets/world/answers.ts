import type { RandomStream } from '../../util/random.js';
import { filled, type Grammar } from './grammar.js';
import { grammars } from './grammars.js';
import { inCity, type Question, withSubject } from './questions.js';
import { CAMPUSES, CITIES, type Language, SUBJECTS, YEARS } from './words.js';
import { ATTRIBUTES, type Attribute, pick, shuffled, type University, type World, written } from './world.js';

/**
 * How people answer. `complete`: all of it, in sentences, courteous. `terse`: the bare values. `incomplete`: a part of it, or nothing definite.
 * `wrong`: all of it, courteous or not, with something that is false. `rambling`: all of it and more, over and over.
 */
export type Quality = 'complete' | 'terse' | 'incomplete' | 'wrong' | 'rambling';

/** Answers to compare: as `complete` but for the one thing that the name says. */
export type Variant = 'plain' | 'incomplete_courteous' | 'wrong_courteous';

/** An answer of a quality; the same words for the same draws. */
export function answerTo(question: Question, quality: Quality | Variant, world: World, draws: RandomStream): string {
  const grammar = grammars[question.answerIn];
  const core = coreOf(question, world, draws);
  const courteously = (sentence: string) => courteous(sentence, question, grammar, draws);
  const plainly = (sentence: string) => grammar.text([sentence]);
  switch (quality) {
    case 'complete':
      return courteously(core.sentence());
    case 'plain':
      return plainly(core.sentence());
    case 'terse':
      return plainly(core.terse());
    case 'incomplete':
      return plainly(core.incomplete());
    case 'incomplete_courteous':
      return courteously(core.incomplete());
    case 'wrong':
      return (draws.uniform() < 0.5 ? courteously : plainly)(core.wrong());
    case 'wrong_courteous':
      return courteously(core.wrong());
    case 'rambling':
      return rambling(core, grammar, draws);
  }
}

/** The best answer in its plainest words. */
export function referenceOf(question: Question, world: World, draws: RandomStream): string {
  const grammar = grammars[question.answerIn];
  const sentence = coreOf(question, world, draws).sentence();
  return isCourteousItself(question) ? grammar.text([sentence]) : grammar.text([grammar.openings[0], sentence]);
}

/** What an answer says, before its manner. */
interface Core {
  sentence(): string;
  terse(): string;
  incomplete(): string;
  wrong(): string;
  /** Something true that was not asked for. */
  besides(): string;
}

/** Greetings and regrets are courteous in themselves. */
const isCourteousItself = ({ task }: Question) => task === 'greeting' || task === 'unknown';

function courteous(sentence: string, question: Question, grammar: Grammar, draws: RandomStream): string {
  if (isCourteousItself(question)) return grammar.text([sentence]);
  const where = draws.uniform(); // before, after, or both
  return grammar.text([where < 0.75 ? pick(grammar.openings, draws) : '', sentence, where >= 0.5 ? pick(grammar.closings, draws) : '']);
}

function rambling(core: Core, grammar: Grammar, draws: RandomStream): string {
  const [before, after] = shuffled(grammar.fillers, draws);
  const sentence = core.sentence();
  return grammar.text([before, sentence, filled(pick(grammar.again, draws), { s: sentence }), core.besides(), after]);
}

function coreOf(question: Question, world: World, draws: RandomStream): Core {
  const language = question.answerIn;
  const grammar = grammars[language];
  const known = world.universities.filter(({ appearance }) => appearance === 'known');
  const name = (university: University) => grammar.full(university.name[language]);
  const factOf = (university: University, attributes: readonly Attribute[], values: Partial<Record<Attribute, string>> = {}) =>
    grammar.sentence(
      name(university),
      attributes.map((a) => filled(pick(grammar.predicates[a], draws), { v: values[a] ?? written(university, a, language) })),
    );
  const besidesOf = (university: University, asked: readonly Attribute[] = []) =>
    factOf(university, [
      pick(
        ATTRIBUTES.filter((attribute) => !asked.includes(attribute)),
        draws,
      ),
    ]);

  switch (question.task) {
    case 'facts':
    case 'translate': {
      const { university, asked } = question;
      return {
        sentence: () => factOf(university, asked),
        terse: () => grammar.fragment(asked.map((a) => filled(pick(grammar.terse[a], draws), { v: written(university, a, language) }))),
        incomplete: () =>
          asked.length > 1
            ? factOf(university, shuffled(asked, draws).slice(0, asked.length - 1))
            : filled(pick(grammar.vague[asked[0]], draws), { n: name(university) }),
        wrong: () => {
          const attribute = pick(asked, draws);
          return factOf(university, asked, { [attribute]: otherValue(university, attribute, language, draws) });
        },
        besides: () => besidesOf(university, asked),
      };
    }
    case 'compare': {
      const [a, b] = question.pair[0].founded < question.pair[1].founded ? question.pair : [question.pair[1], question.pair[0]];
      const said = (first: University, second: University) =>
        filled(pick(grammar.compare.answers, draws), { a: name(first), b: name(second) });
      return {
        sentence: () => said(a, b),
        terse: () => grammar.fragment([name(a)]),
        incomplete: () => pick(grammar.compare.vague, draws),
        wrong: () => said(b, a),
        besides: () => besidesOf(b),
      };
    }
    case 'list': {
      const right = shuffled(inCity(world, question.city), draws).slice(0, 2);
      const city = question.city[language];
      const said = (universities: readonly University[]) =>
        filled(pick(grammar.list.answers, draws), { l: grammar.and(universities.map(name)), city });
      const elsewhere = () =>
        pick(
          known.filter((university) => university.city.en !== question.city.en),
          draws,
        );
      return {
        sentence: () => said(right),
        terse: () => grammar.fragment(right.map(name)),
        incomplete: () => grammar.fragment([name(right[0])]),
        wrong: () => said([right[0], elsewhere()]),
        besides: () => besidesOf(right[0], ['city']),
      };
    }
    case 'reverse': {
      const [right] = withSubject(world, question.city, question.subject);
      const said = (university: University) =>
        filled(pick(grammar.reverse.answers, draws), {
          n: name(university),
          city: question.city[language],
          subject: question.subject[language],
        });
      const other = () =>
        pick(
          known.filter((university) => university !== right),
          draws,
        );
      return {
        sentence: () => said(right),
        terse: () => grammar.fragment([name(right)]),
        incomplete: () => pick(grammar.denial.vague, draws),
        wrong: () => said(other()),
        besides: () => besidesOf(right, ['city', 'subject']),
      };
    }
    case 'unknown': {
      const { university, thing } = question;
      const asked = filled(pick(grammar.unknown[thing].indirect, draws), { n: name(university) });
      return {
        sentence: () => filled(pick(grammar.denial.answers, draws), { i: asked }),
        terse: () => pick(grammar.denial.terse, draws),
        incomplete: () => pick(grammar.denial.vague, draws),
        wrong: () => filled(pick(grammar.denial.invented, draws), { n: name(university), v: pick(CITIES, draws)[language] }),
        besides: () => besidesOf(university),
      };
    }
    case 'greeting': {
      const { answers, terse, vague } = grammar.greeting;
      return {
        sentence: () => pick(answers, draws),
        terse: () => pick(terse, draws),
        incomplete: () => pick(vague, draws),
        wrong: () => besidesOf(pick(known, draws)),
        besides: () => besidesOf(pick(known, draws)),
      };
    }
  }
}

/** A value that the attribute has elsewhere. */
function otherValue(university: University, attribute: Attribute, language: Language, draws: RandomStream): string {
  if (attribute === 'founded')
    return String(
      pick(
        YEARS.filter((year) => year !== university.founded),
        draws,
      ),
    );
  const list = { city: CITIES, campus: CAMPUSES, subject: SUBJECTS }[attribute];
  return pick(
    list.filter(({ en }) => en !== university[attribute].en),
    draws,
  )[language];
}
