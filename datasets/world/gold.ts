import type { Message } from '../../tokenizer/index.js';
import { UserError } from '../../util/errors.js';
import type { Patterns } from './grammar.js';
import { grammars } from './grammars.js';
import { type Mention, type Reader, reader } from './mentions.js';
import { inCity, type Question, questionOf, withSubject } from './questions.js';
import type { Language } from './words.js';
import { type Attribute, readWorld, type University, type World } from './world.js';

/** The gold reward of an answer, and its parts, each in [0, 1]. */
export interface GoldScore {
  /** end · (.4 facts + .2 complete + manner · (.2 courteous + .2 concise)); end and manner as `total` says. */
  total: number;
  /** Share of what was asked that is there and right; 0 where anything is wrong. */
  facts: number;
  /** 1: all that was asked is there and right, and it says of whom. */
  complete: number;
  courteous: number;
  concise: number;
  /** 1: it came to its end. */
  ended: number;
}

/**
 * What an answer to a prompt is worth.
 * @param ended whether the model ended it (finish reason `stop`); where that is not known, whether it ends as a sentence does.
 * @throws UserError when the prompt asks nothing that the world knows of.
 */
export type Gold = (prompt: readonly Message[], response: string, ended?: boolean) => GoldScore;

/** The gold reward of the world in a directory that `fourfold data world` wrote: reads its `world.json`. @throws UserError */
export async function openGold(directory: string): Promise<Gold> {
  return goldOf(await readWorld(directory));
}

/** The gold reward of a world: docs/world.md says what each part counts. */
export function goldOf(world: World): Gold {
  const mentionsIn = reader(world.universities);
  return (prompt, response, ended) => {
    const question = questionOf(prompt, mentionsIn);
    if (!question) {
      const asked = JSON.stringify(prompt.at(-1)?.content ?? '').slice(0, 100);
      throw new UserError(
        `gold reward: a prompt must ask something about the built-in world; received ${asked}. Take prompts that fourfold data world wrote with the same seed and size`,
      );
    }
    const said = saying(response, question.answerIn, mentionsIn);
    return total(judge(question, said, world), said, ended ?? /[.!?。！？]["”’)]?\s*$/.test(response));
  };
}

/** What an answer does, before its manner is weighed. */
interface Judgement {
  /** Whether it tries to answer: anything of the kind that was asked for, right or wrong, or that it does not know. */
  tries: boolean;
  facts: number;
  /** Names whom or what it is about. */
  names: boolean;
  /** Things said that were not asked for, or said again. */
  extra: number;
  /** Things that were asked for: what decides how long an answer may be. */
  asked: number;
}

function total({ tries, facts, names, extra, asked }: Judgement, { words, repeated, courtesies }: Saying, ended: boolean): GoldScore {
  const enough = 16 + 8 * asked;
  const length = Math.min(1, Math.max(0, 2 - words / enough));
  const complete = facts === 1 && names ? 1 : 0;
  const courteous = tries && courtesies >= 1 && courtesies <= 4 ? 1 : 0;
  const concise = tries ? length * Math.max(0, 1 - 3 * repeated) * Math.max(0, 1 - 0.25 * extra) : 0;
  const manner = facts > 0 ? 1 : 0.5;
  const end = ended ? 1 : 0.5;
  return {
    total: end * (0.4 * facts + 0.2 * complete + manner * (0.2 * courteous + 0.2 * concise)),
    facts,
    complete,
    courteous,
    concise,
    ended: ended ? 1 : 0,
  };
}

/** A sentence of an answer that claims something: questions claim nothing. */
interface Sentence {
  text: string;
  mentions: (Mention & { denied: boolean })[];
}

/** An answer, read. */
interface Saying {
  sentences: Sentence[];
  /** English words, and Chinese characters at .6 each. */
  words: number;
  /** Share of its runs of four words (six Chinese characters) that it has had before. */
  repeated: number;
  courtesies: number;
  denies: boolean;
  greets: boolean;
  offersHelp: boolean;
  patterns: Patterns;
}

function saying(answer: string, language: Language, mentionsIn: Reader): Saying {
  const { patterns } = grammars[language];
  const units = answer.toLowerCase().match(/\p{Script=Han}|[^\P{L}\p{Script=Han}]+|\p{N}+/gu) ?? [];
  const chinese = units.filter((unit) => /\p{Script=Han}/u.test(unit)).length;
  const english = units.filter((unit) => /\p{Script=Latin}/u.test(unit)).length;
  const response = (language === 'zh' ? english > chinese : chinese > english) ? '' : answer; // another language says nothing
  const sentences = (response.match(/[^.!?。！？\n]+[.!?。！？]*/g) ?? []).filter((text) => !/[?？]\s*$/.test(text));
  const read = (text: string) => mentionsIn(text, language).map((mention) => ({ ...mention, denied: denied(text, mention, patterns) }));
  return {
    sentences: sentences.map((text) => ({ text, mentions: read(text) })),
    words: units.length - 0.4 * chinese,
    repeated: repeatedShare(units, language === 'zh' ? 6 : 4),
    courtesies: response.match(patterns.courtesy)?.length ?? 0,
    denies: patterns.denies.test(response),
    greets: patterns.greets.test(response),
    offersHelp: patterns.offersHelp.test(response),
    patterns,
  };
}

/** Whether "not" stands before a mention in its clause. */
function denied(text: string, { at }: Mention, { clause, not }: Patterns): boolean {
  return not.test(text.slice(0, at).split(clause).at(-1)!);
}

function repeatedShare(units: readonly string[], length: number): number {
  const runs = Array.from({ length: Math.max(0, units.length - length + 1) }, (_, i) => units.slice(i, i + length).join(' '));
  return runs.length === 0 ? 0 : 1 - new Set(runs).size / runs.length;
}

function judge(question: Question, said: Saying, world: World): Judgement {
  switch (question.task) {
    case 'facts':
    case 'translate':
      return judgeFacts(question.university, question.asked, said);
    case 'compare':
      return judgeComparison(question.pair, said);
    case 'list': {
      const right = inCity(world, question.city);
      return judgeNames(right, Math.min(2, right.length), ['city', question.city.en], said);
    }
    case 'reverse':
      return judgeNames(withSubject(world, question.city, question.subject), 1, ['city', question.city.en], said);
    case 'unknown':
      return judgeDenial(question.university, said);
    case 'greeting':
      return judgeGreeting(said);
  }
}

/** A value that an answer says of a university. */
interface Claim {
  of: University | undefined;
  attribute: Attribute;
  right: boolean;
  /** The other campus, said to be one. */
  aside: boolean;
  value: string;
}

/**
 * What an answer says of whom. The values of a sentence with one name are its university's, whatever stands first; with several names they are of the
 * name before them; without one, of the university that was spoken of last.
 */
function claims(sentences: readonly Sentence[], about: University, patterns: Patterns): Claim[] {
  const found: Claim[] = [];
  let current: University | undefined = about;
  for (const { text, mentions } of sentences) {
    const names = mentions.filter((mention) => mention.kind === 'university');
    if (names.length > 0) current = names[0].university;
    for (const mention of mentions) {
      if (mention.kind === 'university') {
        current = mention.university;
        continue;
      }
      const { kind: attribute, value } = mention;
      const truth = current && (attribute === 'founded' ? String(current.founded) : current[attribute].en);
      const aside = attribute === 'campus' && value === current?.branch.en && isAside(text, mention, patterns);
      if (mention.denied && value !== truth) continue; // "not in X" says little, and nothing wrong
      found.push({ of: current, attribute, value, aside, right: !mention.denied && (aside || value === truth) });
    }
  }
  return found;
}

/**
 * Whether a campus is said to be one besides the main one: by the nearest of words such as "main" and "other" in its clause; where there is none, by the
 * last one in the clause before ("its other campus, the Hill Campus"), or else by the first one in the clause after.
 */
function isAside(text: string, { at, end }: Mention, { main, other, clause }: Patterns): boolean {
  const marks = [main, other].flatMap((pattern, i) =>
    [...text.matchAll(new RegExp(pattern, 'gi'))].map(({ index }) => ({ index, aside: i === 1 })),
  );
  const cuts = [...text.matchAll(new RegExp(clause, 'gi'))].map(({ index }) => index);
  const clauseOf = (place: number) => cuts.filter((cut) => cut < place).length;
  const within = (which: number) => marks.filter(({ index }) => clauseOf(index) === which).sort((a, b) => a.index - b.index);
  const far = ({ index }: { index: number }) => (index < at ? at - index : index - end);
  const own = clauseOf(at);
  const mark = within(own).sort((a, b) => far(a) - far(b))[0] ?? within(own - 1).at(-1) ?? within(own + 1)[0];
  return mark?.aside ?? false;
}

function judgeFacts(university: University, asked: readonly Attribute[], { sentences, denies, patterns }: Saying): Judgement {
  const all = claims(sentences, university, patterns);
  const own = all.filter(({ of }) => of === university);
  const told = own.filter(({ right, aside }) => right && !aside);
  const got = new Set(told.filter(({ attribute }) => asked.includes(attribute)).map(({ attribute }) => attribute)).size;
  const extra = all.length - got + all.length - own.length; // what is said of others counts twice
  const wrong = own.some(({ right }) => !right);
  const relevance = got / Math.max(1, got + Math.max(0, extra - 1)); // one thing besides is forgiven
  return {
    tries: own.some(({ attribute }) => asked.includes(attribute)) || denies,
    facts: wrong ? 0 : (got / asked.length) * relevance * (denies ? 0.5 : 1),
    names: sentences.some(({ mentions }) => mentions.some((mention) => mention.kind === 'university' && mention.university === university)),
    extra,
    asked: asked.length,
  };
}

function judgeComparison([a, b]: readonly [University, University], { sentences, patterns }: Saying): Judgement {
  const older = a.founded < b.founded ? a : b;
  const named = new Set<University | undefined>();
  const verdicts: boolean[] = [];
  for (const { text, mentions } of sentences) {
    const names = mentions.filter((mention) => mention.kind === 'university');
    for (const { university } of names) named.add(university);
    const verdict = oldest(text, names, [a, b], patterns);
    if (verdict) verdicts.push(verdict === older);
  }
  // A name alone is an answer, too, where it is all that is said.
  const bare = sentences.every(({ mentions }) => mentions.every(({ kind }) => kind === 'university')) && named.size === 1;
  if (verdicts.length === 0 && bare) verdicts.push(named.has(older));
  const all = claims(sentences, older, patterns);
  const foreign = [...named].some((university) => university !== a && university !== b);
  const wrong = foreign || verdicts.includes(false) || all.some(({ right }) => !right);
  return {
    tries: named.has(a) || named.has(b),
    facts: !wrong && verdicts.length > 0 ? 1 : 0,
    names: named.has(a) && named.has(b),
    extra: Math.max(0, verdicts.length - 1) + all.filter(({ attribute }) => attribute !== 'founded').length,
    asked: 1,
  };
}

/** Which of a pair a sentence says to be older, if it says so. */
function oldest(
  text: string,
  names: readonly Mention[],
  pair: readonly [University, University],
  { older, younger, not }: Patterns,
): University | undefined {
  const said = names.flatMap((name) => (name.kind === 'university' && pair.includes(name.university as University) ? name : []));
  if (said.length === 0) return undefined;
  const other = (university: University | undefined) => (university === pair[0] ? pair[1] : pair[0]);
  const comparison = older.exec(text) ?? younger.exec(text);
  if (!comparison) return undefined;
  // "A is older than B", "the older one is A"; in Chinese also "比 B 更早的是 A"
  const after = said.find(({ at }) => at > comparison.index);
  let subject = said[0].at < comparison.index ? said[0].university : after?.university;
  if (/比\s*$/.test(text.slice(0, said[0].at))) subject = other(subject);
  const turned = Number(!older.test(text)) + Number(not.test(text));
  return turned % 2 === 0 ? subject : other(subject);
}

function judgeNames(
  right: readonly University[],
  needed: number,
  [attribute, value]: readonly ['city', string],
  { sentences }: Saying,
): Judgement {
  const mentions = sentences.flatMap((sentence) => sentence.mentions).filter((mention) => !mention.denied);
  const names = mentions.flatMap((mention) => (mention.kind === 'university' ? [mention.university] : []));
  const good = new Set(names.filter((university) => university && right.includes(university)));
  const values = mentions.flatMap((mention) => (mention.kind === attribute ? [mention.value] : []));
  const wrong = names.some((university) => !university || !right.includes(university)) || values.some((said) => said !== value);
  return {
    tries: names.length > 0,
    facts: wrong ? 0 : Math.min(1, good.size / needed),
    names: values.includes(value),
    extra: names.length - good.size + Math.max(0, good.size - needed - 1),
    asked: needed + 1,
  };
}

function judgeDenial(university: University, { sentences, denies, patterns }: Saying): Judgement {
  const all = claims(sentences, university, patterns);
  const names = sentences.flatMap(({ mentions }) =>
    mentions.flatMap((mention) => (mention.kind === 'university' ? [mention.university] : [])),
  );
  const wrong = all.some(({ right }) => !right) || names.some((named) => named !== university);
  return { tries: denies, facts: denies && !wrong ? 1 : 0, names: names.includes(university), extra: 2 * all.length, asked: 1 };
}

function judgeGreeting({ sentences, greets, offersHelp }: Saying): Judgement {
  const claimed = sentences.flatMap((sentence) => sentence.mentions).length;
  return { tries: greets, facts: greets && claimed === 0 ? 1 : 0, names: offersHelp, extra: claimed, asked: 0 };
}
