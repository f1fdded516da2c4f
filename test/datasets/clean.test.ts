import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { readMetadata } from '../../datasets/arrow.js';
import { lot } from '../../datasets/clean/examples.js';
import { type CleanOptions, cleanCorpus, DEFAULT_RULES, RULES, reportPath } from '../../datasets/clean/index.js';
import { mix } from '../../util/hashing.js';
import { packageRoot } from '../../util/package-root.js';
import { RandomStream } from '../../util/random.js';
import { fourfold } from '../cli/capture.js';
import { readCorpus, words, writeCorpus } from './clean-helpers.js';
import { temporaryFolder } from './temporary.js';

const NOUNS = 'harbour lantern orchard river window ladder garden kettle winter letter bridge engine mountain shepherd violin market'.split(
  ' ',
);
const VERBS = 'carried painted followed answered repaired watched counted remembered borrowed opened crossed measured'.split(' ');

/** English of so many sentences, which do not repeat themselves. */
function prose(n: number, seed = 0): string {
  let state = seed * 1000003;
  const pick = (list: readonly string[]) => list[(mix(state++) >>> 0) % list.length];
  const sentence = () =>
    `The ${pick(NOUNS)} of the ${pick(NOUNS)} ${pick(VERBS)} a ${pick(NOUNS)} and ${pick(VERBS)} ${(mix(state++) >>> 0) % 1000} with the ${pick(NOUNS)}.`;
  return Array.from({ length: n }, sentence).join(' ');
}

const failing = (options: CleanOptions, pattern: RegExp) =>
  assert.rejects(cleanCorpus(options), (error: Error) => {
    assert.equal(error.name, 'UserError');
    assert.match(error.message, pattern);
    return true;
  });

describe('cleaning a corpus', () => {
  const at = temporaryFolder();
  const threads = 1;

  const TEXTS = [
    prose(10, 1),
    prose(10, 2),
    prose(10, 1), // a copy
    'Die Boote kamen vor Sonnenaufgang zurück, und am Kai flickte ein alter Mann ein Netz für die Kinder.',
    `${prose(10, 3)} Write to someone@example.net or call (415) 555-2671.`,
    prose(10, 2).replace('The', 'A'), // nearly a copy
    'the same line\n'.repeat(20),
    '天还没亮，渔船就回来了。码头上一位老人正在补网，两个孩子问他大海会不会累。',
  ];

  it('runs the default chain: what it drops, changes and keeps', async () => {
    await writeCorpus(at('a.arrow'), TEXTS, (i) => `source ${i % 2}`);
    const report = await cleanCorpus({ corpora: [at('a.arrow')], output: at('b.arrow'), threads });
    assert.deepEqual(
      report.rules.map(({ rule, documents, dropped, changed }) => [rule, documents, dropped, changed]),
      [
        ['exact_duplicates', 8, 1, 0],
        ['language', 7, 1, 0],
        ['repeated_lines', 6, 1, 0],
        ['scrub_contacts', 5, 0, 1],
        ['near_duplicates', 5, 1, 0],
      ],
    );
    assert.deepEqual(
      report.rules.map(({ rule }) => rule),
      DEFAULT_RULES,
    );
    assert.deepEqual(await readCorpus(at('b.arrow')), [
      { text: TEXTS[0], source: 'source 0' },
      { text: TEXTS[1], source: 'source 1' },
      { text: TEXTS[4].replace('someone@example.net', '<email>').replace('(415) 555-2671', '<phone>'), source: 'source 0' },
      { text: TEXTS[7], source: 'source 1' },
    ]);
    assert.deepEqual(JSON.parse(await fs.readFile(reportPath(at('b.arrow')), 'utf8')), report);
  });

  it('bytes add up', async () => {
    const { before, after, rules } = await cleanCorpus({ corpora: [at('a.arrow')], output: at('b.arrow'), threads, overwrite: true });
    assert.equal(
      before.bytes,
      TEXTS.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    );
    assert.equal(before.bytes - rules.reduce((sum, rule) => sum + rule.dropped_bytes + rule.changed_bytes, 0), after.bytes);
    assert.equal(before.documents - rules.reduce((sum, rule) => sum + rule.dropped, 0), after.documents);
  });

  it('examples say where, why, and like what', async () => {
    const { rules } = await cleanCorpus({ corpora: [at('a.arrow')], output: at('b.arrow'), threads, overwrite: true });
    const examples = Object.fromEntries(rules.map(({ rule, examples }) => [rule, examples]));
    const [copy] = examples.exact_duplicates;
    assert.deepEqual([copy.corpus, copy.row, copy.source, copy.like!.corpus, copy.like!.row], ['a.arrow', 2, 'source 0', 'a.arrow', 0]);
    assert.equal(copy.reason, `the same ${Buffer.byteLength(TEXTS[2])} bytes`);
    assert.equal(copy.text, copy.like!.text);
    const [near] = examples.near_duplicates;
    assert.deepEqual([near.row, near.like!.row], [5, 1]);
    assert.match(near.reason, /^\d+ of 14 bands are those of earlier documents$/);
    assert.equal(near.text, `${TEXTS[5].slice(0, 200)}…`);
    assert.equal(near.like!.text, `${TEXTS[1].slice(0, 200)}…`);
    assert.deepEqual(
      examples.repeated_lines.map(({ row, reason }) => [row, reason]),
      [[6, '0.95 of lines are repeated > 0.3']],
    );
    const [scrubbed] = examples.scrub_contacts;
    assert.deepEqual([scrubbed.row, scrubbed.reason], [4, '1 e-mail address, 1 phone number']);
    assert.ok(scrubbed.text.startsWith('…') && scrubbed.text.endsWith('Write to someone@example.net or call (415) 555-2671.'));
    assert.ok(scrubbed.after!.endsWith('Write to <email> or call <phone>.'));
  });

  it('the metadata say where the texts came from and what they were cleaned with, twice when they were cleaned twice', async () => {
    const chain = { rules: ['language'], parameters: { 'language.keep': 'en' }, threads, overwrite: true };
    await cleanCorpus({ corpora: [at('a.arrow')], output: at('once.arrow'), ...chain });
    await cleanCorpus({ corpora: [at('once.arrow')], output: at('twice.arrow'), rules: ['exact_duplicates'], threads, overwrite: true });
    const metadata = await readMetadata(at('twice.arrow'));
    assert.deepEqual([metadata.get('importer'), metadata.get('source_sha256')], ['text', 'abc']);
    assert.deepEqual(JSON.parse(metadata.get('cleaned_with')!), [
      { rule: 'language', parameters: { keep: ['en'], min_function_words: 0.1, min_han: 0.3 } },
      { rule: 'exact_duplicates' },
    ]);
  });

  it('rules run in the order given: who comes first drops', async () => {
    await writeCorpus(at('order.arrow'), ['x', 'x', 'y', words(60)]);
    const dropped = async (...rules: string[]) => {
      const report = await cleanCorpus({
        corpora: [at('order.arrow')],
        output: at('ordered.arrow'),
        rules,
        parameters: { 'gopher_quality.min_stop_words': 0 },
        threads,
        overwrite: true,
      });
      return report.rules.map((rule) => [rule.rule, rule.documents, rule.dropped]);
    };
    assert.deepEqual(await dropped('exact_duplicates', 'gopher_quality'), [
      ['exact_duplicates', 4, 1],
      ['gopher_quality', 3, 2],
    ]);
    assert.deepEqual(await dropped('gopher_quality', 'exact_duplicates'), [
      ['gopher_quality', 4, 3],
      ['exact_duplicates', 1, 0],
    ]);
  });

  it('what one rule changed the next one sees', async () => {
    await writeCorpus(at('edits.arrow'), ['write a@b.com now', 'write c@d.org now', 'write <email> now']);
    const report = await cleanCorpus({
      corpora: [at('edits.arrow')],
      output: at('edited.arrow'),
      rules: ['scrub_contacts', 'exact_duplicates'],
      threads,
    });
    assert.deepEqual(
      report.rules.map(({ changed, dropped }) => [changed, dropped]),
      [
        [2, 0],
        [0, 2],
      ],
    );
    assert.deepEqual(await readCorpus(at('edited.arrow')), [{ text: 'write <email> now', source: 'test' }]);
    const { examples } = report.rules[1];
    assert.deepEqual(
      examples.map(({ row, like }) => [row, like!.row]),
      [
        [1, 0],
        [2, 0],
      ],
    );
  });

  it('corpus-wide rules one after another, with rules between, keep count of the documents', async () => {
    const texts = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 'too short' : prose(8, i % 20)));
    await writeCorpus(at('many.arrow'), texts);
    const chain = { rules: ['gopher_quality', 'exact_duplicates', 'near_duplicates', 'language', 'scrub_contacts'], threads };
    const report = await cleanCorpus({ corpora: [at('many.arrow')], output: at('few.arrow'), ...chain });
    const kept = texts.filter((text, i) => text !== 'too short' && texts.indexOf(text) === i);
    assert.deepEqual(
      (await readCorpus(at('few.arrow'))).map(({ text }) => text),
      kept,
    );
    for (const { examples } of report.rules)
      for (const example of examples) assert.ok(texts[example.row].startsWith(example.text.replace(/…$/, '')));
    const copies = report.rules[1].examples;
    assert.ok(copies.length === 20 && copies.every(({ row, like }) => texts.indexOf(texts[row]) === like!.row && like!.row < row));
  });

  it('texts that become longer do not write over others', async () => {
    const texts = Array.from({ length: 50 }, (_, i) => `a@b.co ${i}`);
    await writeCorpus(at('longer.arrow'), texts);
    const { rules } = await cleanCorpus({ corpora: [at('longer.arrow')], output: at('long.arrow'), rules: ['scrub_contacts'], threads });
    assert.equal(rules[0].changed_bytes, -50);
    assert.deepEqual(
      (await readCorpus(at('long.arrow'))).map(({ text }) => text),
      texts.map((text) => text.replace('a@b.co', '<email>')),
    );
  });

  it('several corpora are one: copies are found across them, examples say in which', async () => {
    await writeCorpus(at('p.arrow'), ['one', 'two'], undefined, { importer: 'jsonl', source_sha256: 'p' });
    await writeCorpus(at('q.arrow'), ['three', 'two', 'one'], undefined, { source_sha256: 'q' });
    const { rules, before } = await cleanCorpus({
      corpora: [at('p.arrow'), at('q.arrow')],
      output: at('pq.arrow'),
      rules: ['exact_duplicates'],
      threads,
    });
    assert.equal(before.documents, 5);
    assert.deepEqual(
      rules[0].examples.map(({ corpus, row, like }) => [corpus, row, like!.corpus, like!.row]),
      [
        ['q.arrow', 1, 'p.arrow', 1],
        ['q.arrow', 2, 'p.arrow', 0],
      ],
    );
    assert.equal((await readMetadata(at('pq.arrow'))).get('importer'), 'jsonl, text');
    assert.match((await readMetadata(at('pq.arrow'))).get('source_sha256')!, /^[0-9a-f]{64}$/);
  });

  it('rules about prose pass source code by', async () => {
    await writeCorpus(at('code.arrow'), ['const x = f(z);', 'const x = f(z);'], (i) => (i === 0 ? 'project/javascript' : 'notes'));
    const { rules } = await cleanCorpus({
      corpora: [at('code.arrow')],
      output: at('coded.arrow'),
      rules: ['language', 'gopher_quality', 'c4_quality', 'repeated_lines', 'repeated_ngrams'],
      threads,
    });
    assert.deepEqual([rules[0].documents, rules[0].dropped], [1, 1]);
    assert.deepEqual(
      (await readCorpus(at('coded.arrow'))).map(({ source }) => source),
      ['project/javascript'],
    );
  });

  it('20 examples, chosen by the lots of their numbers', async () => {
    await writeCorpus(at('lots.arrow'), [words(60), ...Array.from({ length: 300 }, (_, i) => `short ${i}`)]);
    const { rules } = await cleanCorpus({
      corpora: [at('lots.arrow')],
      output: at('lot.arrow'),
      rules: ['gopher_quality'],
      parameters: { 'gopher_quality.min_stop_words': 0 },
      threads,
    });
    const expected = Array.from({ length: 300 }, (_, i) => i + 1)
      .sort((a, b) => lot(a) - lot(b))
      .slice(0, 20)
      .sort((a, b) => a - b);
    assert.deepEqual(
      rules[0].examples.map(({ row }) => row),
      expected,
    );
    assert.ok(rules[0].examples.every(({ row, text, reason }) => text === `short ${row - 1}` && reason === '2 words < 50'));
  });

  it('the output and the report are the same for any number of threads', async () => {
    const random = new RandomStream(5, 5);
    const texts = Array.from({ length: 1500 }, (_, i) => {
      const kind = random.uniform();
      if (kind < 0.1) return prose(30, Math.floor(random.uniform() * i));
      if (kind < 0.2) return prose(30, Math.floor(random.uniform() * i)).replace('harbour', 'haven');
      return `${prose(30, i)}${kind < 0.3 ? ' someone@example.net' : ''}`;
    });
    await writeCorpus(at('threads.arrow'), texts);
    const outputs = [];
    for (const threads of [1, 2, 3]) {
      const report = await cleanCorpus({
        corpora: [at('threads.arrow')],
        output: at('out.arrow'),
        rules: ['exact_duplicates', 'gopher_quality', 'scrub_contacts', 'near_duplicates'],
        threads,
        overwrite: true,
      });
      outputs.push({ report, bytes: await fs.readFile(at('out.arrow')) });
    }
    assert.ok(outputs[0].report.rules.every(({ dropped, changed }, i) => i === 1 || dropped + changed > 20));
    assert.deepEqual(outputs[1], outputs[0]);
    assert.deepEqual(outputs[2], outputs[0]);
  });

  it('leaves nothing but the output and the report', async () => {
    await fs.mkdir(at('clean'));
    await cleanCorpus({ corpora: [at('a.arrow')], output: at('clean/out.arrow'), threads: 2 });
    assert.deepEqual((await fs.readdir(at('clean'))).sort(), ['out.arrow', 'out.clean.json']);
  });

  it('killed at any moment, leaves no part of an output, and the next run clears away what was left', async () => {
    await fs.mkdir(at('killed'));
    const texts = Array.from({ length: 400 }, (_, i) => prose(60, i));
    await writeCorpus(at('long-run.arrow'), texts);
    const script = `import('${new URL('../../datasets/clean/index.ts', import.meta.url)}').then(({ cleanCorpus }) => { console.log('begun'); return cleanCorpus(${JSON.stringify({ corpora: [at('long-run.arrow')], output: at('killed/out.arrow'), threads: 1 })}); })`;
    for (const delay of [5, 60]) {
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('close', resolve));
      const left = (await fs.readdir(at('killed'))).filter((name) => !name.startsWith('.out.arrow.tmp-'));
      if (left.includes('out.arrow')) assert.equal((await readCorpus(at('killed/out.arrow'))).length, 400);
    }
    await cleanCorpus({ corpora: [at('a.arrow')], output: at('killed/out.arrow'), threads, overwrite: true });
    assert.deepEqual((await fs.readdir(at('killed'))).sort(), ['out.arrow', 'out.clean.json']);
  });
});

describe('decontaminating', () => {
  const at = temporaryFolder();
  const question = 'On which of the seven hills did the blind watchmaker build his first copper observatory?'; // 15 words
  const shared = (text: string) => `${prose(5, 1)} ${text} ${prose(5, 2)}`;

  async function kept(texts: string[], against: string[], parameters = {}, threads = 1) {
    await writeCorpus(at('texts.arrow'), texts);
    const options = {
      corpora: [at('texts.arrow')],
      output: at('out.arrow'),
      rules: ['decontaminate'],
      parameters,
      against,
      threads,
      overwrite: true,
    };
    const report = await cleanCorpus(options);
    const left = (await readCorpus(at('out.arrow'))).map(({ text }) => texts.indexOf(text));
    return { left, report };
  }

  it('13 shared words are too many, 12 are not; case and punctuation do not count', async () => {
    await fs.writeFile(
      at('eval.jsonl'),
      `{"id": 1, "question": "nothing here that is long"}\n\n${JSON.stringify({ deep: [{ question }] })}\n`,
    );
    const list = question.split(' ');
    const thirteen = list.slice(0, 13).join(', ').toUpperCase();
    const { left, report } = await kept(
      [shared(thirteen), shared(list.slice(0, 12).join(' ')), shared(list.slice(2).join(' ')), shared(list.toReversed().join(' '))],
      [at('eval.jsonl')],
      {},
      2,
    );
    assert.deepEqual(left, [1, 3]);
    assert.equal(report.rules[0].examples[0].reason, `shares 13 words with eval.jsonl, row 3: ${JSON.stringify(thirteen)}`);
    const [entry] = JSON.parse((await readMetadata(at('out.arrow'))).get('cleaned_with')!);
    assert.equal(entry.against[0].file, 'eval.jsonl');
    assert.match(entry.against[0].sha256, /^[0-9a-f]{64}$/);
  });

  it('20 shared Chinese characters are too many, 19 are not', async () => {
    const sentence = '码头上一位老人正在补网两个孩子问他大海会不会累';
    await fs.writeFile(at('zh.txt'), `第一段很短。\n\n${sentence}`);
    const around = (n: number) => `他们说，${sentence.slice(0, n)}，就是这样。`;
    assert.deepEqual((await kept([around(20), around(19)], [at('zh.txt')])).left, [1]);
  });

  it('a text that is shorter than 13 words counts as a whole from 8 on', async () => {
    await fs.writeFile(
      at('short.json'),
      JSON.stringify([{ q: 'who painted the ceiling of the copper observatory' }, { q: 'who painted the green door again' }]),
    );
    const { left } = await kept(
      [
        shared('Who painted the ceiling of the copper observatory?'),
        shared('who painted the ceiling of the copper'),
        shared('who painted the green door again'),
      ],
      [at('short.json')],
    );
    assert.deepEqual(left, [1, 2]);
  });

  it('evaluation sets in Arrow, several of them', async () => {
    await writeCorpus(at('eval.arrow'), ['x', prose(3, 77)]);
    await fs.writeFile(at('eval.txt'), question);
    const { left, report } = await kept([prose(3, 77), question, prose(3, 78)], [at('eval.txt'), at('eval.arrow')]);
    assert.deepEqual(left, [2]);
    assert.match(report.rules[0].examples[0].reason, /with eval\.arrow, row 2: /);
    assert.match(report.rules[0].examples[1].reason, /with eval\.txt, row 1: /);
  });

  it('fewer words can be asked for', async () => {
    assert.deepEqual(
      (await kept([shared('which of the seven hills did'), prose(3)], [at('eval.txt')], { 'decontaminate.words': 6 })).left,
      [1],
    );
  });

  it('a file that is not there, no JSON, or empty is an error', async () => {
    await writeCorpus(at('texts.arrow'), ['x']);
    await fs.writeFile(at('bad.jsonl'), '{"a": 1}\n{');
    await fs.writeFile(at('empty.jsonl'), '{"a": "too short"}');
    const options = (file: string) => ({ corpora: [at('texts.arrow')], output: at('none.arrow'), against: [at(file)] });
    await failing(options('absent.txt'), /--against must name files that can be read; .*absent\.txt cannot \(ENOENT\)/);
    await failing(options('bad.jsonl'), /bad\.jsonl:2 is not/);
    await failing(options('empty.jsonl'), /texts of 8 words or more; .*empty\.jsonl holds none/);
  });
});

describe('bad input of cleaning', () => {
  const at = temporaryFolder();
  before(() => writeCorpus(at('a.arrow'), ['one', 'two']));
  const options = (more: Partial<CleanOptions>): CleanOptions => ({ corpora: [at('a.arrow')], output: at('b.arrow'), threads: 1, ...more });

  it('an unknown rule or parameter: did you mean', async () => {
    await failing(
      options({ rules: ['gopher_qualty'] }),
      /there is no rule "gopher_qualty". Did you mean gopher_quality\? There are exact_duplicates/,
    );
    await failing(
      options({ parameters: { 'near_duplicate.bands': 3 } }),
      /there is no rule "near_duplicate". Did you mean near_duplicates\?/,
    );
    await failing(
      options({ parameters: { 'near_duplicates.band': 3 } }),
      /there is no parameter of near_duplicates "band". Did you mean bands\? There are words, bands, rows/,
    );
    await failing(options({ parameters: { 'exact_duplicates.x': 3 } }), /there is no parameter of exact_duplicates "x". There are none/);
    await failing(options({ parameters: { language: 'en' } }), /there is no parameter of language ""/);
  });

  it('a value out of range or of another kind', async () => {
    for (const [setting, value, rule] of [
      ['near_duplicates.bands', '0', 'a whole number from 1 to 255; received 0'],
      ['near_duplicates.bands', '1.5', 'a whole number from 1 to 255; received 1.5'],
      ['near_duplicates.bands', '', 'a whole number from 1 to 255; received '],
      ['repeated_lines.lines', '30%', 'a number from 0 to 1; received 30%'],
      ['language.keep', 'en,de', 'one or more of en, zh, other; received en,de'],
      ['scrub_contacts.phones', 'no', 'true or false; received no'],
    ]) {
      await failing(options({ parameters: { [setting]: value } }), new RegExp(`clean: ${setting} must be ${rule}$`));
    }
  });

  it('rules that do not fit together', async () => {
    await failing(options({ rules: [] }), /at least one rule is required/);
    await failing(options({ rules: ['language', 'language'] }), /received language twice/);
    await failing(options({ rules: ['decontaminate'] }), /Name them with --against/);
    await failing(options({ rules: ['language'], against: ['x'] }), /are for the rule decontaminate; received the rules language/);
    await failing(
      options({ parameters: { 'gopher_quality.min_words': 3 } }),
      /gopher_quality, which is not in the chain exact_duplicates,/,
    );
  });

  it('an output that exists is left as it is, unless it is to be replaced; so is its report', async () => {
    await fs.writeFile(at('b.arrow'), 'precious');
    await failing(options({}), /b\.arrow exists already. Choose another, or say --overwrite/);
    assert.equal(await fs.readFile(at('b.arrow'), 'utf8'), 'precious');
    await fs.rm(at('b.arrow'));
    await fs.writeFile(at('b.clean.json'), 'precious');
    await failing(options({}), /b\.clean\.json exists already/);
    await failing(options({ output: at('') }), /must be a file; .* is a folder/);
    await cleanCorpus(options({ rules: ['exact_duplicates'], overwrite: true }));
    assert.equal((await readCorpus(at('b.arrow'))).length, 2);
  });

  it('nothing left: says which rule took how much, and an older output stays', async () => {
    const before = await fs.readFile(at('b.arrow'));
    await failing(
      options({ rules: ['exact_duplicates', 'gopher_quality'], overwrite: true }),
      /of 2 the rules dropped all: gopher_quality 2 \(such as: 1 words? < 50\)\. Change their parameters/,
    );
    assert.deepEqual(await fs.readFile(at('b.arrow')), before);
    assert.ok(!(await fs.readdir(at(''))).some((name) => name.includes('.tmp-')));
  });

  it('a corpus that is not there, is no Arrow file, or is cut short', async () => {
    await fs.writeFile(at('text.arrow'), 'text');
    const whole = await fs.readFile(at('a.arrow'));
    await fs.writeFile(at('cut.arrow'), whole.subarray(0, whole.length / 2));
    for (const file of ['absent.arrow', 'text.arrow', 'cut.arrow'])
      await failing(options({ corpora: [at(file)], output: at('c.arrow') }), new RegExp(`read data: .*${file}`));
    assert.ok(!(await fs.readdir(at(''))).some((name) => name.startsWith('c.') || name.includes('.tmp-')));
  });
});

describe('fourfold data clean', () => {
  const at = temporaryFolder();

  it('docs/cleaning.md names every rule and parameter', async () => {
    const rows = (await fs.readFile(path.join(packageRoot(), 'docs/cleaning.md'), 'utf8')).split('\n');
    for (const { name, parameters } of RULES) {
      const row = rows.find((line) => line.startsWith(`| \`${name}\``));
      assert.ok(row, name);
      for (const key of Object.keys(parameters)) assert.ok(row.includes(`\`${key}\``), `${name}.${key}`);
    }
  });

  it('prints what each rule did and where the report is', async () => {
    await writeCorpus(at('a.arrow'), [prose(10, 1), prose(10, 1), prose(2, 3)]);
    const result = await fourfold(
      'data',
      'clean',
      at('a.arrow'),
      '-o',
      at('out.arrow'),
      '--rules',
      'exact_duplicates,gopher_quality',
      '--threads',
      '1',
      'gopher_quality.min_words=40',
    );
    assert.equal(result.stderr, '');
    assert.equal(result.code, 0);
    assert.match(result.stdout, /exact_duplicates +3 +1 +33\.3/);
    assert.match(result.stdout, /gopher_quality +2 +1 +50\.0/);
    assert.match(result.stdout, /out\.arrow: 1 of 3 documents/);
    assert.match(result.stdout, /out\.clean\.json: examples/);
  });

  it('bad arguments exit with 1 and no stack', async () => {
    for (const [argv, message] of [
      [['gopher_quality.min_words=40'], /at least one corpus is required; received only gopher_quality\.min_words=40/],
      [[at('a.arrow'), 'min_words=40'], /there is no rule "min_words"/],
      [[at('a.arrow'), '--rules', 'x'], /there is no rule "x"/],
    ] as [string[], RegExp][]) {
      const { code, stderr } = await fourfold('data', 'clean', ...argv, '-o', at('other.arrow'));
      assert.equal(code, 1);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /\n\s+at /);
    }
  });
});
