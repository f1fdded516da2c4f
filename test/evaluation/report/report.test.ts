import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { Parser } from 'htmlparser2';
import { writeReport } from '../../../evaluation/report/report.js';
import { inFolder, pipelineFiles, verdict, writeFiles } from './run-directory.js';

interface Element {
  name: string;
  attributes: Record<string, string>;
  text: string;
}

const VOID = new Set(['meta', 'br', 'hr', 'img', 'link', 'input']);

/** The elements of a page; fails where a tag is closed that was not open, or not closed. */
function elementsOf(page: string): Element[] {
  const elements: Element[] = [];
  const open: Element[] = [];
  const parser = new Parser({
    onopentag(name, attributes) {
      const element = { name, attributes, text: '' };
      elements.push(element);
      open.push(element);
    },
    ontext(text) {
      for (const element of open) element.text += text;
    },
    onclosetag(name, implied) {
      assert.equal(open.pop()?.name, name);
      const selfClosed = elements.at(-1)?.name === name && elements.at(-1)?.text === '';
      assert.ok(!implied || VOID.has(name) || selfClosed, `<${name}> is not closed`);
    },
  });
  parser.end(page);
  assert.deepEqual(open, []);
  return elements;
}

async function reportOf(
  files: Readonly<Record<string, unknown>>,
): Promise<{ page: string; markdown: string; verdict?: string; elements: Element[] }> {
  return inFolder(async (folder) => {
    const written = await writeReport(await writeFiles(folder, files));
    const [page, markdown] = await Promise.all([fs.readFile(written.html, 'utf8'), fs.readFile(written.markdown, 'utf8')]);
    return { page, markdown, verdict: written.verdict, elements: elementsOf(page) };
  });
}

const missingOf = (markdown: string) => [...markdown.matchAll(/^\*not recorded: (.*)\*$/gm)].map(([, what]) => what);

describe('the report of a pipeline', () => {
  let whole: Awaited<ReturnType<typeof reportOf>>;
  before(async () => {
    whole = await reportOf(pipelineFiles());
  });

  it('is one page of closed tags that refers to nothing outside it', () => {
    const { elements, page } = whole;
    assert.ok(!elements.some(({ name }) => ['script', 'link', 'img', 'iframe', 'object', 'use', 'image'].includes(name)));
    const references = elements.flatMap(({ attributes }) =>
      ['href', 'src', 'xlink:href', 'srcset'].flatMap((name) => attributes[name] ?? []),
    );
    assert.ok(references.length > 0 && references.every((reference) => reference.startsWith('#')));
    assert.doesNotMatch(page, /url\(|@import|https?:/);
  });

  it('begins with the verdict, then goes through the stages', () => {
    const titles = whole.elements.filter(({ name }) => name === 'h2').map(({ text }) => text);
    assert.deepEqual(titles, [
      'Verdict',
      'The same prompts, answered by each model',
      'Pretraining',
      'Supervised fine-tuning (SFT)',
      'Reward model',
      'PPO',
      'Time and memory',
      'Provenance',
    ]);
    const lead = 'PPO raises the gold reward from .21 (.19 – .23) to .43 (.41 – .45); the 95\u00a0% intervals do not overlap.';
    assert.equal(whole.verdict, lead);
    assert.equal(whole.elements.find(({ attributes }) => attributes['class'] === 'lead')?.text, lead);
    assert.ok(whole.markdown.includes(`## Verdict\n\n**${lead}**\n`));
  });

  it('links every part by its anchor', () => {
    const anchors = whole.elements.flatMap(({ name, attributes }) => (name === 'a' ? attributes['href'].slice(1) : []));
    const ids = whole.elements.flatMap(({ attributes }) => attributes['id'] ?? []);
    assert.deepEqual(anchors, ids);
    assert.equal(new Set(ids).size, ids.length);
  });

  it('gives each chart a name with a number, and its data as a table', () => {
    const charts = whole.elements.filter(({ attributes }) => attributes['role'] === 'img');
    assert.ok(charts.length > 15);
    for (const { attributes } of charts) assert.match(attributes['aria-label'], /^[^:]+: .*\d/);
    assert.equal(
      whole.elements.filter(({ name, attributes }) => name === 'details' && attributes['class'] === 'data').length,
      charts.length,
    );
    const names = charts.map(({ attributes }) => attributes['aria-label']);
    assert.ok(names.includes('Gold reward by model: the highest at temperature 1 is PPO with .43 (.41 – .45)'));
    assert.ok(names.includes('Bits per byte, held-out text: from .500 to .300'));
    assert.ok(names.includes('Loss: training from 3.00 to 1.00; held out from 2.00 to 1.00'));
  });

  it('shows what models say as text, never as HTML or Markdown', () => {
    assert.ok(
      whole.elements.some(
        ({ attributes, text }) => attributes['class'] === 'answer' && text === 'In Fosca & <script>alert(1)</script> | so',
      ),
    );
    assert.ok(whole.elements.some(({ name, text }) => name === 'h3' && text === 'Where is <b>Belmont</b>?'));
    assert.match(whole.markdown, /^### Where is &lt;b>Belmont&lt;\/b>\?$/m);
    assert.match(whole.markdown, /^\| SFT {3}\| In Fosca &amp; &lt;script>alert\(1\)&lt;\/script> \\\| so +\| +\.60 \| +\.40 \|$/m);
    assert.match(whole.markdown, /^\| PPO {3}\| It is in Fosca\.<br>You are welcome! … \(cut off\) +\| +1\.00 \| +1\.20 \|$/m);
  });

  it('has the figures of each stage in sentences and tables', () => {
    for (const line of [
      /^600 prompts \(1-world\/prompts-report\.arrow\), seed 7; /m,
      /^\| gold reward +\| +\.10 \(\.08 – \.12\) \| +\.21 \(\.19 – \.23\) \| +\.43 \(\.41 – \.45\) \|$/m,
      /^\| exact match +\| +12\.5\u00a0% \| +12\.5\u00a0% \| +12\.5\u00a0% \|$/m,
      /^After 20 steps held-out text costs \.300 bits per byte, 1\.000 nats a token\.$/m,
      /^Held-out conversations: from 1\.500 to \.500 nats a token of the answers\.$/m,
      /^It puts the better of two held-out answers first in 70\.0\u00a0% of the pairs \(95\u00a0% interval 66\.0 – 74\.0\u00a0%\)\.$/m,
      /^- 14\.0\u00a0% of these answers lie outside the boundary/m,
      /^\| +20 \| +1\.00 \| +1\.00 \|$/m,
      /^The gold reward is highest, \.40, at 2\.0 nats, the last evaluation: it has not turned\. /m,
      /^21\u00a0min 0\u00a0s in all; at most 1\.3\u00a0GB of memory\./m,
      /^\| pretrain \| pretrain \| done +\| +1\u00a0min 0\u00a0s \| +20,480 \| +1,707 \| +1\.3\u00a0GB \|$/m,
      /^\| processor +\| A processor +\|$/m,
      /^\| pretrain \| +1337 \| 2026-01-02T03:04:05Z \| `000000000000` \|$/m,
    ]) {
      assert.match(whole.markdown, line);
    }
  });

  it('finds nothing missing but what was not measured', () => {
    assert.deepEqual(missingOf(whole.markdown), []);
  });
});

describe('a report of less', () => {
  it('names the stages and figures that are not there', async () => {
    const { markdown, verdict: sentence } = await reportOf({ 'lineage.json': { pipeline: 'nothing', steps: [] } });
    assert.equal(sentence, 'There is no verdict: no step of this run compared its models on the same prompts.');
    const missing = missingOf(markdown);
    for (const what of [
      /^verdict\.json/,
      /^answers of the models/,
      /^pretraining: /,
      /^fine-tuning: /,
      /^the reward model: /,
      /^PPO: /,
      /^fourfold, code sha256, node/,
    ]) {
      assert.ok(
        missing.some((line) => what.test(line)),
        `${what} in ${missing.join('; ')}`,
      );
    }
  });

  it('names what single steps lack, and goes on', async () => {
    const files = pipelineFiles();
    delete files['1-pretrain/metrics.jsonl'];
    delete files['4-eval/evaluation.json'];
    const ppo = files['5-ppo/metrics.jsonl'] as Record<string, unknown>[];
    files['5-ppo/metrics.jsonl'] = ppo.map(({ kl_coef, 'eval/gold': gold, ...line }) => line);
    const { markdown } = await reportOf(files);
    const missing = missingOf(markdown);
    assert.ok(missing.includes('the curves of pretrain: it has no metrics.jsonl'));
    assert.ok(missing.includes('calibration, margins and boundary: no step of kind eval measured the reward model on preferences'));
    assert.ok(missing.includes('β, the price of KL of ppo'));
    assert.ok(missing.some((line) => line.startsWith('the gold reward at evaluations of ppo')));
    assert.match(markdown, /^\*\*PPO raises/m);
  });

  it('takes a field of another type for missing, and tells of files that are no JSON', async () => {
    const files = pipelineFiles();
    files['6-verdict/verdict.json'] = verdict({ sft: { gold_reward: 'high', decodings: { sampled: 7 } }, ppo: null });
    files['2-sft/summary.json'] = '{"stage": "sft", "tok';
    const { markdown } = await reportOf(files);
    assert.match(markdown, /^\*\*No comparison: the gold reward of SFT and a model after it is not recorded\.\*\*$/m);
    assert.match(markdown, /^> \*\*not readable: .*2-sft\/summary\.json: /m);
  });

  it('says that the gold reward has turned, while the score goes on', async () => {
    const files = pipelineFiles();
    const golds = [0.2, 0.35, 0.3];
    files['5-ppo/metrics.jsonl'] = (files['5-ppo/metrics.jsonl'] as object[]).map((line, i) => ({ ...line, 'eval/gold': golds[i] }));
    const { markdown } = await reportOf(files);
    assert.match(
      markdown,
      /The gold reward is highest, \.35, at 1\.0 nats, and \.30 at the last evaluation, while the score goes on from \.50 to 1\.00\./,
    );
  });

  it('shows a failed step', async () => {
    const files = pipelineFiles();
    const lineage = files['lineage.json'] as { steps: object[] };
    lineage.steps[4] = { ...lineage.steps[4], state: 'failed', error: 'the loss is not finite' };
    assert.match((await reportOf(files)).markdown, /^> \*\*ppo failed: the loss is not finite\*\*$/m);
  });

  it('of a single stage has its own part, time and provenance', async () => {
    const files = Object.fromEntries(
      Object.entries(pipelineFiles()).flatMap(([path, contents]) => (path.startsWith('1-pretrain/') ? [[path.slice(11), contents]] : [])),
    );
    const { elements, verdict: sentence } = await reportOf(files);
    assert.equal(sentence, undefined);
    assert.deepEqual(
      elements.filter(({ name }) => name === 'h2').map(({ text }) => text),
      ['Pretraining', 'Time and memory', 'Provenance'],
    );
  });

  it('refuses what is no run', async () => {
    await inFolder(async (folder) => {
      await assert.rejects(writeReport(folder), /^UserError: report: a run is what fourfold run or a stage has written/);
      await assert.rejects(writeReport(join(folder, 'none')), /^UserError: report: a run is a directory; received .*none \(ENOENT\)/);
    });
  });
});
