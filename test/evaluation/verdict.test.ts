import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs';
import { resolveVerdictConfig } from '../../configs/load.js';
import type { VerdictInput } from '../../configs/verdict-schema.js';
import { ArrowFile } from '../../datasets/arrow.js';
import { type Prompt, promptsBatch, promptsSchema, readPrompts } from '../../datasets/conversations.js';
import { openDialogues } from '../../datasets/world/dialogues.js';
import { openGold } from '../../datasets/world/gold.js';
import { readWorld } from '../../datasets/world/world.js';
import { writeWorld } from '../../datasets/world/write.js';
import { evaluate } from '../../evaluation/evaluate.js';
import type { ConversationEvaluation, TextEvaluation } from '../../evaluation/evaluation.js';
import { loadRewardModel, scoreResponses } from '../../evaluation/reward-model.js';
import { chatAsking, drawAnswers, fewShotAsking } from '../../evaluation/verdict/answers.js';
import { type Verdict, verdict, writeVerdict } from '../../evaluation/verdict.js';
import { logits } from '../../model/heads.js';
import { forward } from '../../model/transformer.js';
import { type LoadedModel, loadModel } from '../../sampler/model.js';
import { readChatTemplate, trainTokenizer } from '../../tokenizer/index.js';
import { fourfold } from '../cli/capture.js';
import { preparedDocument, writePrepared } from '../datasets/prepared.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { saveTinyModel, tinyConfig } from '../sampler/tiny-model.js';
import { withoutColour } from '../util/environment.js';

describe('a verdict', () => {
  const at = temporaryFolder();
  withoutColour();
  const tokenizer = trainTokenizer(['Where is Norden University? Thank you for asking. It is in Erlo.'], { kind: 'bpe', vocabSize: 290 });
  let prompts: Prompt[] = [];
  const table = async (name: string, rows: readonly Prompt[]) => {
    const schema = promptsSchema(new Map());
    const file = new ArrowFile(at(name), schema);
    await file.write(promptsBatch(schema, rows));
    await file.close();
    return at(name);
  };

  before(async () => {
    await writeWorld({ output: at('world'), seed: 5, size: 0.1, languages: ['en'] });
    for await (const rows of readPrompts(at('world/prompts-report.arrow'))) prompts.push(...rows);
    prompts = prompts.filter(({ source }) => !source.startsWith('facts_open')).slice(0, 12);
    await table('prompts.arrow', prompts);
    const config = { ...tinyConfig(tokenizer), max_position_embeddings: 512, tie_word_embeddings: false }; // tied, it says again what it was told
    await saveTinyModel(at('sft'), tokenizer, config);
    await saveTinyModel(at('ppo'), tokenizer, { ...config, num_hidden_layers: 1 });
    await saveTinyModel(at('rm'), tokenizer, { ...config, head: 'scalar', score_mean: 0.01, score_std: 0.5 });
    await saveTinyModel(at('pair'), tokenizer, { ...config, head: 'pair' });
    const documents = ['It is in Erlo.', 'Where is it?'].map((text) => preparedDocument(tokenizer, 'a', text));
    await writePrepared(at('tokens'), { tokenizer, train: documents, eval: documents });
  });

  const config = ({ models, ...more }: Partial<VerdictInput> = {}) =>
    resolveVerdictConfig({
      ...{ world: at('world'), data: at('prompts.arrow'), max_tokens: 24, examples: 12, seed: 11, threads: 1 },
      models: models ?? { sft: { checkpoint: at('sft') }, ppo: { checkpoint: at('ppo') } },
      ...more,
    });
  const shown = (found: Verdict, model: string) => found.examples.map(({ answers }) => answers[model]);
  const withModel = async <T>(name: string, work: (model: LoadedModel) => Promise<T>) => {
    const model = await loadModel(at(name));
    try {
      return await work(model);
    } finally {
      model.dispose();
    }
  };
  const options = { temperature: 1, maxTokens: 24, seed: 11, indices: [0] };
  const askedOf = async (model: LoadedModel) => chatAsking(prompts, await readChatTemplate(model.directory, model.tokenizer));

  it('tells of each model the gold reward of its answers to all prompts, and what there is besides', async () => {
    const found = await verdict(
      config({ reward: at('rm'), conversations: at('world/conversations.arrow'), eval_fraction: 0.05, text: at('tokens') }),
    );
    assert.deepEqual([found.prompts, found.seed, found.reference], [{ path: at('prompts.arrow'), count: 12 }, 11, 'sft']);
    assert.deepEqual(Object.keys(found.models), ['sft', 'ppo']);
    assert.deepEqual(found.examples.map(({ prompt }) => prompt), prompts.map(({ prompt }) => prompt[0].content)); // biome-ignore format: short
    const gold = await openGold(at('world'));
    const scorer = await loadRewardModel(at('rm'));
    for (const name of ['sft', 'ppo']) {
      const { decodings, gold_reward, eval_loss, text_bits_per_byte, how } = found.models[name];
      const answers = shown(found, name);
      for (const [i, { text, ended, gold: total, parts, score }] of answers.entries()) {
        const expected = gold(prompts[i].prompt, text, ended);
        assert.deepEqual({ total, ...parts }, expected);
        const [{ normalised }] = await scoreResponses(scorer, prompts[i].prompt, [text]);
        assert.ok(Math.abs(score! - normalised) < 1e-5);
      }
      const mean = answers.reduce((sum, answer) => sum + answer.gold, 0) / 12;
      assert.ok(Math.abs(gold_reward.mean - mean) < 1e-12 && gold_reward.n === 12);
      assert.deepEqual([gold_reward, how], [decodings.sampled.gold_reward, 'chat template']);
      assert.deepEqual([decodings.sampled.temperature, decodings.greedy?.temperature], [1, 0]);
      assert.deepEqual(['kl', 'entropy', 'score'].map((key) => key in decodings.greedy!), [false, false, true]); // biome-ignore format: short
      const plain = { device: 'auto', threads: 1, trainOn: 'assistant', generate: false, maxTokens: 1, batchSize: 1, examples: 0 } as const;
      const [talk, text] = await evaluate(at(name), [at('world/conversations.arrow'), at('tokens')], {
        ...{ ...plain, split: 'eval', evalFraction: 0.05, packing: 'segments' },
      });
      assert.equal(eval_loss, (talk as ConversationEvaluation).all.loss);
      assert.equal(text_bits_per_byte, (text as TextEvaluation).all.bits_per_byte);
    }
    scorer.dispose();
    assert.ok(!('win_rate' in found.models.sft.decodings.sampled));
    const wins = shown(found, 'ppo').map(({ gold }, i) => 0.5 + Math.sign(gold - shown(found, 'sft')[i].gold) / 2);
    assert.equal(found.models.ppo.decodings.sampled.win_rate?.mean, wins.reduce((a, b) => a + b) / 12);
  });

  it('says nothing where there is nothing to say', async () => {
    const bare = await table('bare.arrow', prompts.map(({ prompt, source }) => ({ prompt, source }))); // biome-ignore format: short
    const found = await verdict(config({ data: bare }));
    for (const model of Object.values(found.models)) {
      assert.deepEqual(Object.keys(model), ['checkpoint', 'how', 'gold_reward', 'decodings']);
      assert.ok(!('score' in model.decodings.sampled) && !('exact_match' in model.decodings.sampled));
    }
    assert.ok(found.examples.every((example) => !('reference' in example) && !('score' in example.answers.sft)));
  });

  /** Of each token of an answer: its log-probability, and the entropy, by a pass over this one text. */
  const byItself = async ({ parameters, config }: LoadedModel, prompt: readonly number[], answer: readonly number[]) => {
    const ids = [...prompt, ...answer];
    const all = tf.tidy(() => {
      const whole = (values: readonly number[]) => tf.tensor2d([...values], [1, ids.length], 'int32');
      const batch = { ids: whole(ids), positions: whole([...ids.keys()]), segments: whole(ids.map(() => 0)) };
      return tf.logSoftmax(tf.squeeze(logits(parameters, config, forward(parameters, config, batch)), [0]) as tf.Tensor2D);
    });
    const rows = (await all.array()) as number[][];
    all.dispose();
    return answer.map((id, i) => {
      const row = rows[prompt.length + i - 1];
      return { logProb: row[id], entropy: -row.reduce((sum, logProb) => sum + Math.exp(logProb) * logProb, 0) };
    });
  };

  it('measures the divergence from the reference, and the entropy, on the answers that were drawn', async () => {
    const found = await verdict(config());
    const { sampled } = found.models.ppo.decodings;
    const { answers, questions } = await withModel('ppo', async (ppo) => {
      const asking = await askedOf(ppo);
      return { questions: asking.questions, answers: (await drawAnswers(ppo, asking, options)).flat() };
    });
    assert.deepEqual(answers.map(({ text }) => text), shown(found, 'ppo').map(({ text }) => text)); // biome-ignore format: short
    const said = (name: string) =>
      withModel(name, (model) => Promise.all(answers.map(({ tokens }, i) => byItself(model, questions[i].ids, tokens))));
    const [own, other] = [await said('ppo'), await said('sft')];
    const sum = (of: number[]) => of.reduce((a, b) => a + b, 0);
    const kls = own.map((tokens, i) => sum(tokens.map(({ logProb }, t) => logProb - other[i][t].logProb)));
    assert.ok(Math.abs(sampled.kl!.mean - sum(kls) / 12) < 1e-4, `${sampled.kl!.mean} ${sum(kls) / 12}`);
    const entropies = own.flat().map(({ entropy }) => entropy);
    assert.ok(Math.abs(sampled.entropy! - sum(entropies) / entropies.length) < 1e-4);
    assert.deepEqual(found.models.sft.decodings.sampled.kl, { mean: 0, ci95: [0, 0], n: 12 });
  });

  it('takes of n answers the one that the reward model likes best; its divergence is known', async () => {
    const models = {
      sft: { checkpoint: at('sft') },
      best_of_4: { checkpoint: at('sft'), best_of: 4 },
      other: { checkpoint: at('ppo'), best_of: 2 },
    };
    const found = await verdict(config({ reward: at('rm'), models }));
    const drawn = await withModel('sft', async (sft) => drawAnswers(sft, await askedOf(sft), { ...options, indices: [1, 2, 3, 4] }));
    const scorer = await loadRewardModel(at('rm'));
    for (const [i, { text, score }] of shown(found, 'best_of_4').entries()) {
      const scored = await scoreResponses(scorer, prompts[i].prompt, drawn[i].map((answer) => answer.text)); // biome-ignore format: short
      const best = scored.reduce((a, b) => (b.normalised > a.normalised ? b : a));
      assert.ok(Math.abs(score! - best.normalised) < 1e-5);
      assert.equal(text, drawn[i][scored.indexOf(best)].text);
    }
    scorer.dispose();
    const { decodings, how, ...rest } = found.models.best_of_4;
    assert.equal(how, 'best of 4 by the reward model');
    assert.deepEqual(decodings.sampled.kl?.mean, Math.log(4) - 3 / 4);
    assert.ok(!('greedy' in decodings) && !('entropy' in decodings.sampled) && !('eval_loss' in rest));
    assert.ok(!('kl' in found.models.other.decodings.sampled), "of another model's answers it is not known");
    assert.equal(decodings.sampled.win_rate?.n, 12);
  });

  it('asks a base model in a dialogue; its answer is what stands between the mark and the end of the line', async () => {
    const models = { base: { checkpoint: at('ppo'), few_shot: 1 }, sft: { checkpoint: at('sft') } };
    const found = await verdict(config({ models }));
    const { decodings, how } = found.models.base;
    assert.equal(how, 'few-shot: 1 example before the question');
    assert.ok(!('kl' in decodings.sampled) && decodings.sampled.entropy! > 0 && decodings.greedy !== undefined);
    const world = await readWorld(at('world'));
    await withModel('ppo', async (base) => {
      const asking = fewShotAsking(prompts, tokenizer, world, { examples: 1, seed: 11 });
      const open = openDialogues(world, { examples: 1, seed: 11 });
      const texts = asking.questions.map(({ ids }) => tokenizer.decode(ids));
      assert.deepEqual(texts, prompts.map(({ prompt }) => `<|bos|>${open(prompt[0].content).text}`)); // biome-ignore format: short
      const answers = (await drawAnswers(base, asking, options)).flat();
      assert.deepEqual(answers.map(({ text }) => text), shown(found, 'base').map(({ text }) => text)); // biome-ignore format: short
      // the newline is one token of 290: some of many answers end with it
      const many = await drawAnswers(base, asking, { ...options, maxTokens: 60, indices: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] });
      let lines = 0;
      for (const { tokens, text, ended } of many.flat()) {
        const [line, ...more] = tokenizer.decode(tokens, { skipSpecial: true }).split('\n');
        if (!line.startsWith(':')) assert.equal(text.replaceAll('\ufffd', '').trim(), line.replaceAll('\ufffd', '').trim());
        assert.equal(ended, more.length > 0 || tokens.at(-1) === tokenizer.special.eos);
        lines += more.length;
      }
      assert.ok(lines > 0);
      const begun = many.flat().findIndex(({ text }) => text.length > 3);
      const { text } = many.flat()[begun];
      const marked = { ...asking, questions: asking.questions.map((question) => ({ ...question, mark: text.slice(0, 2) })) };
      const again = await drawAnswers(base, marked, { ...options, maxTokens: 60, indices: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] });
      assert.equal(again.flat()[begun].text, text.slice(2).trimStart());
    });
  });

  it('is the same for any number of threads, and an answer depends on no other prompt', async () => {
    const more = { reward: at('rm'), models: { sft: { checkpoint: at('sft') }, best: { checkpoint: at('ppo'), best_of: 2 } } };
    const one = await verdict(config(more));
    assert.deepEqual(await verdict(config({ ...more, threads: 2 })), one);
    const few = await verdict(config({ ...more, limit: 5 }));
    assert.deepEqual([few.prompts.count, few.examples], [5, one.examples.slice(0, 5)]);
  });

  it('refuses what it cannot compare', async () => {
    const rejects = async (more: Partial<VerdictInput>, message: RegExp) =>
      assert.rejects(verdict(config(more)), { name: 'UserError', message });
    const foreign = await table('foreign.arrow', [prompts[0], { prompt: [{ role: 'user', content: 'What is 2 + 2?' }], source: 'sums' }]);
    await rejects(
      { data: foreign },
      /^verdict: row 1: gold reward: a prompt must ask something about the built-in world; received "What is/,
    );
    const long = { prompt: [{ role: 'user' as const, content: 'Where '.repeat(300) }], source: 'long' };
    await rejects(
      { data: await table('long.arrow', [prompts[0], long]) },
      /leave room for an answer in the model's context of 512 tokens; row 1 has \d+ /,
    );
    await rejects({ data: await table('none.arrow', []) }, /there must be prompts in .*none\.arrow; received none/);
    await rejects({ reward: at('pair') }, /reward must have a scalar head, which scores one answer; .*pair compares pairs/);
    await rejects({ models: { sft: { checkpoint: at('rm') } } }, /must be a language model, which writes/);
    const abort = AbortSignal.abort();
    await assert.rejects(verdict(config(), { signal: abort }), { name: 'AbortError' });
  });

  it('is a command that prints a table and writes JSON', async () => {
    const yaml = { world: at('world'), data: at('prompts.arrow'), reward: at('rm'), max_tokens: 8, threads: 1 };
    const models = { sft: { checkpoint: at('sft') }, best: { checkpoint: at('sft'), best_of: 2 } };
    await fs.writeFile(at('c.yaml'), JSON.stringify({ ...yaml, models }));
    const argv = ['verdict', at('c.yaml'), 'limit=4', '-o', at('out/verdict.json')];
    const { code, stdout, stderr } = await fourfold(...argv);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /prompts\.arrow: 4 prompts, one answer each\n/);
    assert.match(stdout, /^ {2}model +gold reward +score +KL +entropy +distinct-2 +win rate +exact match +tokens +ended$/m);
    assert.match(stdout, /^ {2}best(?: +–){9}$/m, 'the best of n has no greedy answer, and says so');
    assert.match(stdout, /^ {2}sft +– +– {2}chat template$/m);
    assert.match(stdout, /out\/verdict\.json: written, [\d.]+ s\n$/);
    const written = JSON.parse(await fs.readFile(at('out/verdict.json'), 'utf8')) as Verdict;
    assert.deepEqual([Object.keys(written.models), written.prompts.count], [['sft', 'best'], 4]);
    const again = await fourfold(...argv);
    assert.deepEqual([again.code, again.stdout], [1, '']);
    assert.match(again.stderr, /^error: verdict: .*verdict\.json exists already\. Choose another output, or say --overwrite\n$/);
    const json = await fourfold(...argv, '--overwrite', '--json');
    assert.deepEqual(JSON.parse(json.stdout), written);
    await writeVerdict(at('copy.json'), written);
    assert.equal(await fs.readFile(at('copy.json'), 'utf8'), await fs.readFile(at('out/verdict.json'), 'utf8'));
  });
});
