import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';

/** A directory for one test, removed after `use`. */
export async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await fs.mkdtemp(join(os.tmpdir(), 'fourfold-report-'));
  try {
    return await use(folder);
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}

/** Files by path; what is undefined is left out, what is no text is written as JSON, a list as JSON lines. */
export async function writeFiles(folder: string, files: Readonly<Record<string, unknown>>): Promise<string> {
  for (const [path, contents] of Object.entries(files)) {
    if (contents === undefined) continue;
    await fs.mkdir(join(folder, path, '..'), { recursive: true });
    const text =
      Array.isArray(contents) && path.endsWith('.jsonl') ? contents.map((line) => `${JSON.stringify(line)}\n`).join('') : contents;
    await fs.writeFile(join(folder, path), typeof text === 'string' ? text : JSON.stringify(text));
  }
  return folder;
}

export const interval = (mean: number, half = 0.02, n = 600) => ({ mean, ci95: [mean - half, mean + half], n });

/** A model of a verdict that has everything. */
export function model(gold: number, more: object = {}) {
  const decoded = (temperature: number) => ({
    temperature,
    gold_reward: interval(gold),
    parts: { facts: gold, complete: 0.5, courteous: 0.5, concise: 0.5, ended: 1 },
    by_kind: { facts_closed: interval(gold + 0.1), greeting: interval(gold) },
    score: interval(-0.5),
    exact_match: 0.125,
    kl: interval(1.5),
    entropy: 0.47,
    distinct_1: 0.1,
    distinct_2: 0.27,
    response_length: 17,
    ended: 0.97,
    win_rate: interval(0.6),
  });
  return {
    checkpoint: '5-sft/final',
    how: 'as it is',
    gold_reward: interval(gold),
    eval_loss: 0.4,
    text_bits_per_byte: 0.2,
    decodings: { sampled: decoded(1), greedy: decoded(0) },
    ...more,
  };
}

export function verdict(models: object, more: object = {}) {
  return { prompts: { path: '1-world/prompts-report.arrow', count: 600 }, seed: 7, reference: 'sft', models, examples: [], ...more };
}

const summary = (stage: string, metrics = {}) => ({
  ...{ stage, checkpoint: 'final', steps: 20, tokens: 20480, seconds: 12, tokens_per_second: 1706.7, peak_memory_bytes: 412e6, metrics },
});

const steps = (...kinds: string[]) =>
  kinds.map((kind, i) => ({
    ...{
      name: kind,
      kind,
      directory: `${i + 1}-${kind}`,
      key: `${i}`.repeat(64),
      seed: 1337,
      config: {},
      inputs: { data: 'a'.repeat(64) },
    },
    outputs: { checkpoint: { path: `${i + 1}-${kind}/final`, type: 'checkpoint', sha256: 'b'.repeat(64) } },
    ...{ state: 'done', started: '2026-01-02T03:04:05Z', seconds: 60 * (i + 1), peak_memory_bytes: 1.3e9 },
  }));

/** The files of a small pipeline that has every kind of figure. */
export function pipelineFiles(): Record<string, unknown> {
  const curve = (of: (step: number) => object) => [0, 10, 20].map((step) => ({ step, ...of(step) }));
  const accuracy = (share: number) => ({ pairs: 100, accuracy: share, interval: [share - 0.1, share + 0.1] });
  const bins = [
    { pairs: 50, confidence: 0.6, accuracy: 0.55 },
    { pairs: 50, confidence: 0.8, accuracy: 0.85 },
  ];
  return {
    'lineage.json': {
      pipeline: 'small',
      environment: {
        ...{ fourfold: '0.1.0', code_sha256: 'c'.repeat(64), node: 'v20', platform: 'linux', arch: 'x64', processor: 'A processor' },
        ...{ device: 'native', threads: 2 },
      },
      steps: steps('pretrain', 'sft', 'reward', 'eval', 'ppo', 'verdict'),
    },
    '1-pretrain/config.yaml': 'stage: pretrain\nseed: 1337\nlearning_rate: 0.003\nmodel:\n  hidden_size: 128\n',
    '1-pretrain/metrics.jsonl': curve((step) => ({
      loss: 3 - step / 10,
      lr: 0.001,
      'eval/loss': 2 - step / 20,
      'eval/bits_per_byte': 0.5 - step / 100,
    })),
    '1-pretrain/samples.jsonl': [{ step: 20, prompt: 'The', text: 'The end.' }],
    '1-pretrain/summary.json': summary('pretrain'),
    '2-sft/config.yaml': 'stage: sft\nseed: 1337\nlearning_rate: 0.001\n',
    '2-sft/metrics.jsonl': curve((step) => ({ loss: 2 - step / 20, lr: 0.001, 'eval/loss': 1.5 - step / 20 })),
    '2-sft/samples.jsonl': [{ step: 20, prompt: 'Hello', text: 'Hello!' }],
    '2-sft/summary.json': summary('sft'),
    '3-reward/metrics.jsonl': curve((step) => ({
      loss: 0.7,
      accuracy: 0.6,
      lr: 0.001,
      'eval/accuracy': 0.5 + step / 100,
      'eval/ece': 0.1,
    })),
    '3-reward/summary.json': summary('reward', { 'eval/accuracy': 0.7, 'eval/accuracy_low': 0.66, 'eval/accuracy_high': 0.74 }),
    '4-eval/evaluation.json': [
      {
        ...{ kind: 'preferences', data: 'preferences.arrow', part: 'eval', rows: 50, without_comparison: 0, too_long: 0 },
        metrics: {
          ...accuracy(0.7),
          ...{ prompts: 50, margin: 0.3, loss: 0.6, tau: 0.3, sources: { manner: accuracy(0.8), facts_open: accuracy(0.4) } },
          ...{ byLength: {}, similarLength: accuracy(0.6), longerIsBetter: 0.55, temperature: 0.9 },
          ...{ calibration: { ece: 0.05, bins }, calibrated: { ece: 0.03, bins } },
          histogram: [
            { from: -1, to: 0, pairs: 30 },
            { from: 0, to: 1, pairs: 70 },
          ],
        },
        boundary: { distance: 0.9, outside: 0.14 },
        best_of_n: [
          { n: 1, gold: 0.2, proxy: 0, oracle: 0.2, kl: 0 },
          { n: 2, gold: 0.3, proxy: 0.5, oracle: 0.4, kl: 0.19 },
        ],
      },
    ],
    '5-ppo/metrics.jsonl': curve((step) => ({
      ...{ 'objective/scores': step / 20, 'objective/kl': step / 10, kl_coef: 0.1, 'policy/entropy_avg': 0.5, 'policy/clipfrac_avg': 0.01 },
      ...{
        'val/explained_variance': 0.8,
        response_length: 15,
        eos_rate: 1,
        'eval/score': step / 20,
        'eval/kl': step / 10,
        'eval/gold': 0.2 + step / 100,
      },
    })),
    '5-ppo/samples.jsonl': [{ step: 20, prompt: 'Hello', text: 'Hello!', score: 1, ended: true }],
    '5-ppo/summary.json': summary('ppo', { 'best/step': 20 }),
    '6-verdict/verdict.json': verdict(
      { base: model(0.1), sft: model(0.21), ppo: model(0.43) },
      {
        examples: [
          {
            ...{ prompt: 'Where is <b>Belmont</b>?', source: 'facts_closed/city', reference: 'In Fosca.' },
            answers: {
              sft: { text: 'In Fosca & <script>alert(1)</script> | so', gold: 0.6, parts: { facts: 1 }, score: 0.4, ended: true },
              ppo: { text: 'It is in Fosca.\nYou are welcome!', gold: 1, parts: { facts: 1 }, score: 1.2, ended: false },
            },
          },
        ],
      },
    ),
  };
}
