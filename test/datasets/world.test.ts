import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { readMetadata } from '../../datasets/arrow.js';
import { readConversations, readPrompts, wrongRoles } from '../../datasets/conversations.js';
import { readPreferences } from '../../datasets/preferences.js';
import { answerTo } from '../../datasets/world/answers.js';
import { goldOf, openGold } from '../../datasets/world/gold.js';
import { reader } from '../../datasets/world/mentions.js';
import { drawPrompt, inLanguage, type Kind, poolsOf } from '../../datasets/world/prompts.js';
import { type Part, partOf, questionOf, subjectOf, wordsOf } from '../../datasets/world/questions.js';
import { conversations, corpus, preferences, prompts, QUALITIES } from '../../datasets/world/tables.js';
import { LANGUAGES, type Language } from '../../datasets/world/words.js';
import { makeWorld, STREAM, written } from '../../datasets/world/world.js';
import { writeWorld } from '../../datasets/world/write.js';
import { RandomStream } from '../../util/random.js';
import { temporaryFolder } from './temporary.js';

const EVEN: Record<Kind, number> = {
  facts_closed: 2,
  facts_open: 2,
  compare: 1,
  list: 1,
  reverse: 1,
  unknown: 1,
  greeting: 1,
  translate: 1,
};

async function all<T>(batches: AsyncIterable<T[]>): Promise<T[]> {
  const rows: T[] = [];
  for await (const batch of batches) rows.push(...batch);
  return rows;
}

describe('the built-in world', () => {
  const world = makeWorld({ seed: 5, size: 0.4, languages: [...LANGUAGES] });
  const gold = goldOf(world);
  const mentionsIn = reader(world.universities);
  const parts: Part[] = ['train', 'eval', 'report'];

  /** Some prompts of every kind, part and language. */
  function drawn(count: number, part: Part, languages: Language[] = [...LANGUAGES]) {
    const draws = new RandomStream(9, parts.indexOf(part));
    const [pools, told] = [poolsOf(world, part), { ...world, languages }];
    return Array.from({ length: count }, () => drawPrompt(told, pools, EVEN, draws));
  }

  it('gives each university a name of its own, a city, a year, two campuses and a subject, about evenly', () => {
    const { universities } = makeWorld({ seed: 1, size: 1, languages: ['en'] });
    assert.equal(new Set(universities.map(({ name }) => name.en)).size, universities.length);
    assert.equal(new Set(universities.map(({ name }) => name.zh)).size, universities.length);
    const known = universities.filter(({ appearance }) => appearance === 'known');
    assert.equal(known.length, 50);
    for (const { campus, branch } of known) assert.notEqual(campus, branch);
    for (const value of ['city', 'founded', 'campus', 'subject'] as const) {
      const counts = new Map<string, number>();
      for (const university of known) {
        const said = written(university, value, 'en');
        counts.set(said, (counts.get(said) ?? 0) + 1);
      }
      assert.ok(Math.max(...counts.values()) <= 5, `${value}: ${JSON.stringify([...counts])}`);
    }
  });

  it('tells in the corpus of known universities and of those for passages, and of no others', () => {
    const hidden = new Set(world.universities.filter(({ appearance }) => appearance === 'eval' || appearance === 'report'));
    let texts = 0;
    const told = new Set<unknown>();
    for (const { text } of corpus(world)) {
      if (texts++ > 2000) break;
      const language = /\p{Script=Han}/u.test(text) ? 'zh' : 'en';
      for (const mention of mentionsIn(text, language)) {
        if (mention.kind !== 'university') continue;
        assert.ok(mention.university && !hidden.has(mention.university), text);
        told.add(mention.university);
      }
    }
    for (const university of world.universities) {
      if (university.appearance === 'known') assert.ok(told.has(university), university.name.en);
    }
  });

  it('says only what is true in the corpus: each value in a sentence of an encyclopaedia is that of its university', () => {
    let seen = 0;
    for (const { text, source } of corpus({ ...world, languages: ['en'] })) {
      if (source !== 'encyclopaedia') continue;
      if (seen++ > 300) break;
      const mentions = mentionsIn(text, 'en');
      const [first] = mentions.flatMap((mention) => (mention.kind === 'university' ? [mention.university!] : []));
      for (const mention of mentions) {
        if (mention.kind === 'university') assert.equal(mention.university, first);
        else if (mention.kind === 'campus') assert.ok([first.campus.en, first.branch.en].includes(mention.value), text);
        else assert.equal(mention.value, written(first, mention.kind, 'en'), text);
      }
    }
  });

  for (const part of parts) {
    it(`understands each prompt of ${part} that it writes, in both languages`, () => {
      for (const { prompt, question } of drawn(1500, part)) assert.deepEqual(questionOf(prompt, mentionsIn), question, prompt[0].content);
    });

    it(`gives complete answers .95 or more, and takes from each other kind what it lacks (${part})`, () => {
      const draws = new RandomStream(11, 0);
      for (const { prompt, question } of drawn(600, part)) {
        const judged = (quality: Parameters<typeof answerTo>[1]) => {
          const answer = answerTo(question, quality, world, draws);
          return { answer, ...gold(prompt, answer, true) };
        };
        const say = (score: object) => `${prompt[0].content}\n${JSON.stringify(score)}`;
        const complete = judged('complete');
        assert.ok(complete.total >= 0.95, say(complete));

        const rambling = judged('rambling');
        assert.ok(rambling.concise <= 0.4 && rambling.total <= complete.total - 0.15, say(rambling));
        const wrong = judged('wrong_courteous');
        assert.ok(wrong.facts === 0 && wrong.complete === 0 && wrong.total <= 0.2 + 1e-9, say(wrong));
        const incomplete = judged('incomplete');
        assert.ok(incomplete.facts <= 2 / 3 && incomplete.complete === 0 && incomplete.total < 0.6, say(incomplete));
        if (question.task === 'greeting') continue;
        const terse = judged('terse');
        assert.ok(terse.facts === 1 && terse.complete === 0 && terse.courteous === 0, say(terse));
        if (question.task === 'unknown') continue; // to regret is courteous
        const plain = judged('plain');
        assert.ok(plain.facts === 1 && plain.complete === 1 && plain.courteous === 0 && plain.concise === 1, say(plain));
      }
    });
  }

  it('takes half of everything from an answer that was cut', () => {
    for (const { prompt, question } of drawn(50, 'train')) {
      const answer = answerTo(question, 'complete', world, new RandomStream(1, 1));
      assert.equal(gold(prompt, answer, false).total, gold(prompt, answer, true).total / 2);
    }
  });

  it('refuses a prompt that asks nothing about the world', () => {
    assert.throws(() => gold([{ role: 'user', content: 'Write a poem.' }], 'Roses.'), /gold reward: a prompt must ask.*Write a poem/);
  });

  it('puts each question into one part, and a fifth of those about known universities out of training', () => {
    const counts = { train: 0, eval: 0, report: 0 };
    const owner = new Map<string, Part>();
    for (const part of parts) {
      for (const question of Object.values(poolsOf(makeWorld({ seed: 2, size: 1, languages: ['en'] }), part)).flat()) {
        const about = `${question.task} ${subjectOf(question)}`;
        assert.equal(owner.get(about) ?? part, part);
        owner.set(about, part);
        if (question.task === 'facts' && question.university.appearance === 'known') counts[part]++;
      }
    }
    const total = counts.train + counts.eval + counts.report;
    assert.ok(Math.abs(counts.train / total - 0.8) < 0.05, JSON.stringify(counts));
  });

  it('lets nobody in a dialogue ask what is for evaluation or report, or answer what is false', () => {
    let dialogues = 0;
    for (const { text, source } of corpus(world)) {
      if (source !== 'dialogues' || dialogues > 500) continue;
      dialogues++;
      const turns = text.split(/^(?:(?:Anna|Ben|Clara|David|Emma|Paul): |小.：)/m).slice(1);
      assert.equal(turns.length % 2, 0, text);
      for (let i = 0; i < turns.length; i += 2) {
        const prompt = [{ role: 'user' as const, content: turns[i].trim() }];
        const question = questionOf(prompt, mentionsIn)!;
        assert.equal(partOf(question, world.seed), 'train', turns[i]);
        const { facts, concise } = gold(prompt, turns[i + 1], true);
        assert.ok(question.task !== 'facts' || facts > 0 || concise === 0, turns[i + 1]); // concise and without a fact: it tried and is wrong
      }
    }
    assert.ok(dialogues > 400);
  });

  it('demonstrates no question of evaluation or report, and never a university by its city and subject', () => {
    const seed = world.seed;
    for (const { messages } of conversations(world)) {
      for (let i = 1; i < messages.length; i += 2) {
        const question = questionOf(messages.slice(0, i), mentionsIn)!;
        assert.notEqual(question.task, 'reverse');
        assert.equal(partOf(question, seed), 'train', messages[i - 1].content);
      }
    }
    for (const { prompt } of preferences(world, gold)) assert.equal(partOf(questionOf(prompt, mentionsIn)!, seed), 'train');
  });

  it('has three sets of prompts without a question in common, no prompt twice, each with a reference worth .95 or more', () => {
    const owner = new Map<string, Part>();
    const texts = new Set<string>();
    for (const part of parts) {
      for (const { prompt, reference } of prompts(world, part)) {
        const question = questionOf(prompt, mentionsIn)!;
        const about = `${question.task} ${subjectOf(question)}`;
        assert.equal(owner.get(about) ?? part, part, about);
        owner.set(about, part);
        assert.ok(!texts.has(prompt[0].content), prompt[0].content);
        texts.add(prompt[0].content);
        assert.ok(gold(prompt, reference!, true).total >= 0.95, reference);
      }
    }
  });

  it('has 500 prompts or more for the report, at size 1 and in one language', () => {
    const count = (language: Language) => [...prompts(makeWorld({ seed: 3, size: 1, languages: [language] }), 'report')].length;
    assert.ok(count('en') >= 500 && count('zh') >= 500);
  });

  it('writes conversations of the stated qualities, the best not the most frequent, in a right order of roles', () => {
    const counts: Record<string, number> = {};
    let rows = 0;
    for (const { messages, source } of conversations(world)) {
      assert.equal(wrongRoles(messages.map(({ role }) => role), 'assistant'), undefined); // biome-ignore format: short
      const quality = source.split('/')[1];
      counts[quality] = (counts[quality] ?? 0) + 1;
      rows++;
    }
    for (const [quality, share] of Object.entries(QUALITIES)) {
      const error = Math.sqrt((share * (1 - share)) / rows);
      assert.ok(Math.abs(counts[quality] / rows - share) < 4 * error, `${quality}: ${counts[quality]} of ${rows}`);
    }
  });

  it('says in a preference what its answers differ in: with the same facts in manner, with the same manner in facts', () => {
    for (const { prompt, responses, source, scores } of preferences(world, gold)) {
      const judged = responses.map((response) => gold(prompt, response, true));
      assert.deepEqual(scores, judged.map(({ total }) => total)); // biome-ignore format: short
      const best = Math.max(...scores!);
      assert.ok(best >= 0.95);
      for (const { facts, courteous, total } of judged) {
        if (source === 'manner') assert.ok(facts > 0);
        if (source.startsWith('facts')) assert.ok(courteous === 1 || total < 0.2, responses.join('\n'));
      }
    }
  });

  it('keeps all words in the language that is asked for', () => {
    const draws = new RandomStream(3, 3);
    for (const language of LANGUAGES) {
      for (const { prompt, question } of drawn(200, 'train', [language])) {
        if (question.task === 'translate') continue;
        const text = `${prompt[0].content}${answerTo(question, 'rambling', world, draws)}`;
        assert.equal(/\p{Script=Han}/u.test(text), language === 'zh', text);
        assert.equal(/[a-z]/i.test(text), language === 'en', text);
      }
    }
  });

  it('asks a second question without the name, and knows from the first of whom it speaks', () => {
    const [university] = world.universities;
    for (const language of LANGUAGES) {
      const ask = (asked: 'city' | 'founded', later: boolean) =>
        wordsOf(
          inLanguage({ task: 'facts', university, asked: [asked], language, answerIn: language }, language),
          new RandomStream(1, 2),
          later,
        );
      const second = ask('founded', true);
      assert.ok(!second.includes(university.name[language]));
      const messages = [ask('city', false), '…', second].map((content, i) => ({ role: i === 1 ? ('assistant' as const) : ('user' as const), content })); // biome-ignore format: short
      assert.equal(gold(messages, written(university, 'founded', language), true).facts, 1);
    }
  });

  it('draws each table from a stream of its own', () => {
    assert.equal(new Set(Object.values(STREAM)).size, Object.values(STREAM).length);
  });
});

describe('a directory of the built-in world', () => {
  const folder = temporaryFolder();
  const options = { seed: 7, size: 0.1, languages: ['en', 'zh'] as const };

  it('has the same bytes for the same seed, others for another, and metadata that say so', async () => {
    const summary = await writeWorld({ ...options, output: folder('a') });
    await writeWorld({ ...options, output: folder('b') });
    await writeWorld({ ...options, output: folder('c'), seed: 8 });
    for (const name of ['world.json', 'README.md', ...summary.map(({ file }) => file)]) {
      const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((directory) => fs.readFile(folder(`${directory}/${name}`))));
      assert.ok(a.equals(b), name);
      assert.ok(!a.equals(c), name);
      if (!name.endsWith('.arrow')) continue;
      const metadata = await readMetadata(folder(`a/${name}`));
      assert.equal(metadata.get('importer'), 'world');
      assert.equal(metadata.get('seed'), '7');
    }
  });

  it('is read back as what was drawn', async () => {
    const world = makeWorld({ ...options, languages: [...options.languages] });
    assert.deepEqual(await all(readConversations(folder('a/conversations.arrow'))), [...conversations(world)]);
    assert.deepEqual(await all(readPrompts(folder('a/prompts-report.arrow'))), [...prompts(world, 'report')]);
    const rows = await all(readPreferences(folder('a/preferences.arrow')));
    const gold = await openGold(folder('a'));
    for (const { prompt, responses, scores } of rows) {
      for (const [i, response] of responses.entries()) assert.ok(Math.abs(gold(prompt, response, true).total - scores![i]) < 1e-6);
    }
    assert.ok(rows.length > 200);
  });

  it('is not overwritten unasked, and nothing but a world is', async () => {
    await assert.rejects(writeWorld({ ...options, output: folder('a') }), /a exists already.*--overwrite/);
    await writeWorld({ ...options, output: folder('a'), overwrite: true });
    await fs.mkdir(folder('mine'));
    await assert.rejects(writeWorld({ ...options, output: folder('mine'), overwrite: true }), /mine is something else/);
  });

  it('must be of a size that there are names for', async () => {
    await assert.rejects(writeWorld({ ...options, output: folder('d'), size: 50 }), /size must be from 0.1 to 10; received 50/);
  });

  it('gives no gold reward without its facts, or with changed ones', async () => {
    await assert.rejects(openGold(folder('none')), /world.json must be the facts.*cannot be read/);
    const facts = folder('b/world.json');
    await fs.writeFile(facts, (await fs.readFile(facts, 'utf8')).replace(/"founded": \d+/, '"founded": 1000'));
    await assert.rejects(openGold(folder('b')), /not those of its seed/);
    await fs.writeFile(facts, '{');
    await assert.rejects(openGold(folder('b')), /it is no JSON/);
    await fs.writeFile(facts, 'null');
    await assert.rejects(openGold(folder('b')), /no seed, size and languages/);
  });
});
