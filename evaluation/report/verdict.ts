/** The verdict of a run in words, as a chart and as a table: what the last model gained over the one that it began as. */
import { type Block, type Cell, type Chart, charts, list, missing, type Section, text } from './blocks.js';
import { count, decimal, NOTHING, percent, range, within } from './numbers.js';
import { type Run, stepsOf, verdictOf } from './read.js';
import { pointsOf } from './series.js';
import type { Decoded, Interval, Verdict, VerdictModel } from './shapes.js';

/** A model's key as people say it: sft_best → SFT best. */
export const modelLabel = (key: string) => key.replace(/^(sft|ppo|dpo|grpo)(?![a-z])/, (name) => name.toUpperCase()).replaceAll('_', ' ');
const capital = (line: string) => line.charAt(0).toUpperCase() + line.slice(1);

/** Which two models the sentence compares: the reference, and `ppo` or else the last other one. */
export function compared({ models, reference }: Verdict): { before?: string; after?: string } {
  const others = Object.keys(models).filter((key) => key !== reference);
  return {
    before: reference !== undefined && Object.hasOwn(models, reference) ? reference : undefined,
    after: others.includes('ppo') ? 'ppo' : others.at(-1),
  };
}

/** Gold reward of a model at temperature 1. */
export const goldOf = (model: VerdictModel | undefined): Interval | undefined =>
  model?.gold_reward ?? model?.decodings.sampled?.gold_reward;

export function overlap(a: Interval, b: Interval): boolean | undefined {
  if (!a.ci95 || !b.ci95) return undefined;
  return a.ci95[0] <= b.ci95[1] && b.ci95[0] <= a.ci95[1];
}

/** One sentence, no better than the numbers. */
export function verdictSentence(verdict: Verdict): string {
  const { before, after } = compared(verdict);
  const [old, now] = [before, after].map((key) => (key === undefined ? undefined : goldOf(verdict.models[key])));
  if (!old || !now) {
    const known = Object.entries(verdict.models).flatMap(([key, model]) => {
      const gold = goldOf(model);
      return gold ? [`${modelLabel(key)} ${within(gold)}`] : [];
    });
    const lacking = [
      !old && (before === undefined ? 'a model to compare with' : modelLabel(before)),
      !now && (after === undefined ? 'a model after it' : modelLabel(after)),
    ];
    const what = lacking.filter((name) => name !== false).join(' and ');
    return `No comparison: the gold reward of ${what} is not recorded${known.length > 0 ? ` (recorded: ${known.join(', ')})` : ''}.`;
  }
  const [from, to] = [modelLabel(before!), modelLabel(after!)];
  const overlapping = overlap(old, now);
  if (overlapping === undefined) {
    return `The gold reward is ${decimal(old.mean)} for ${from} and ${decimal(now.mean)} for ${to}; without intervals nobody can say whether they differ.`;
  }
  if (overlapping) {
    return `It cannot be said that ${to} changes the gold reward: ${within(old)} for ${from}, ${within(now)} for ${to}, and the 95\u00a0% intervals overlap.`;
  }
  if (now.mean < old.mean) {
    return `${capital(to)} makes it worse: the gold reward falls from ${within(old)} to ${within(now)}; the 95\u00a0% intervals do not overlap.`;
  }
  return `${capital(to)} raises the gold reward from ${within(old)} to ${within(now)}; the 95\u00a0% intervals do not overlap.`;
}

/** What else is worth a line. */
export function verdictPoints({ models, ...verdict }: Verdict): string[] {
  const { before, after } = compared({ models, ...verdict });
  if (before === undefined || after === undefined) return [];
  const [from, to] = [modelLabel(before), modelLabel(after)];
  const [old, now] = [models[before], models[after]];
  const { win_rate: wins, kl, entropy } = now.decodings.sampled ?? {};
  const points: string[] = [];
  if (wins) {
    const [low, high] = wins.ci95 ?? [0, 1];
    const chance = low > 0.5 ? 'more often than chance' : high < 0.5 ? 'less often than chance' : 'which cannot be told from chance';
    points.push(
      `On the same prompt, the answer of ${to} is better than that of ${from} in ${within(wins, percent)} of the cases, ties counted half: ${chance}.`,
    );
  }
  const [oldGreedy, nowGreedy] = [old, now].map(({ decodings }) => decodings.greedy?.gold_reward);
  if (oldGreedy && nowGreedy) {
    const overlapping = overlap(oldGreedy, nowGreedy);
    const relation = overlapping === undefined ? '' : overlapping ? '; the intervals overlap' : '; the intervals do not overlap';
    points.push(`Greedy, without chance: ${within(oldGreedy)} for ${from}, ${within(nowGreedy)} for ${to}${relation}.`);
  }
  for (const [key, model] of Object.entries(models)) {
    const gold = goldOf(model);
    if (!/^best_of_/.test(key) || !gold) continue;
    const policy = goldOf(now);
    const apart = policy && overlap(gold, policy) === false;
    const relation = !apart ? '' : gold.mean > policy.mean ? `, more than ${to}` : `, less than ${to}`;
    points.push(`${capital(modelLabel(key))} reaches ${within(gold)} without training a policy${relation}.`);
  }
  if (kl) {
    const spread = old.decodings.sampled?.entropy;
    const varied = spread !== undefined && entropy !== undefined ? `; entropy ${decimal(spread)} → ${decimal(entropy)} nats a token` : '';
    points.push(`The price: ${to} departs from ${from} by ${within(kl)} nats an answer${varied}.`);
  }
  const bits = Object.entries(models).flatMap(([key, { text_bits_per_byte: bits }]) =>
    bits === undefined ? [] : [`${decimal(bits, 3)} for ${modelLabel(key)}`],
  );
  if (bits.length > 1) points.push(`Held-out pretraining text costs, in bits per byte, ${bits.join(', ')}.`);
  return points;
}

/** The first part of a report. */
export function verdictSection(run: Run): Section {
  const verdict = verdictOf(run);
  const blocks = verdict ? verdictBlocks(verdict) : withoutVerdict(run);
  return { id: 'verdict', title: 'Verdict', blocks };
}

function verdictBlocks(verdict: Verdict): Block[] {
  const { models, prompts, seed } = verdict;
  const { before, after } = compared(verdict);
  const keys = Object.keys(models);
  return [
    { type: 'lead', text: verdictSentence(verdict) },
    ...charts([goldChart(verdict)], 'wide'),
    ...list(verdictPoints(verdict)),
    text(
      `${count(prompts.count)} prompts${prompts.path === undefined ? '' : ` (${prompts.path})`}, seed ${seed ?? 'not recorded'}; each answered by each model at temperature 1, and greedily. The gold reward is between 0 and 1; intervals are of 95\u00a0%, over prompts. A dash: not recorded, or not defined for that model.`,
    ),
    ...(['sampled', 'greedy'] as const).flatMap((decoding) => decodingBlocks(verdict, decoding)),
    {
      type: 'table',
      header: ['model', 'how its answers were made', 'checkpoint'],
      rows: keys.map((key) => [modelLabel(key), models[key].how ?? NOTHING, { text: models[key].checkpoint ?? NOTHING, code: true }]),
      folded: 'The models',
    },
    ...kindCharts(
      verdict,
      [before, after].filter((key) => key !== undefined),
    ),
  ];
}

function goldChart({ models }: Verdict): Chart | undefined {
  const keys = Object.keys(models);
  const values = (decoding: 'sampled' | 'greedy') =>
    keys.map((key) => (decoding === 'sampled' ? goldOf(models[key]) : models[key].decodings.greedy?.gold_reward));
  const best = keys.filter((key) => goldOf(models[key])).sort((a, b) => goldOf(models[b])!.mean - goldOf(models[a])!.mean)[0];
  if (best === undefined) return undefined;
  return {
    kind: 'intervals',
    title: 'Gold reward by model',
    says: `the highest at temperature 1 is ${modelLabel(best)} with ${within(goldOf(models[best]))}`,
    x: { label: 'gold reward', domain: [0, 1], format: (value) => decimal(value) },
    rows: keys.map(modelLabel),
    series: [
      { name: 'temperature 1', values: values('sampled') },
      { name: 'greedy', values: values('greedy') },
    ],
  };
}

/** Gold reward by kind of question, of two models side by side. */
function kindCharts({ models }: Verdict, keys: readonly string[]): Block[] {
  const kindsOf = (key: string) => models[key].decodings.sampled?.by_kind ?? {};
  const kinds = [...new Set(keys.flatMap((key) => Object.keys(kindsOf(key))))];
  if (kinds.length === 0) return [missing('gold reward by kind of question')];
  const last = keys.at(-1)!;
  const gains = kinds.flatMap((kind) => {
    const [old, now] = [kindsOf(keys[0])[kind], kindsOf(last)[kind]];
    return old && now ? [{ kind, gain: now.mean - old.mean }] : [];
  });
  const most = gains.sort((a, b) => b.gain - a.gain)[0];
  const says =
    most && keys.length > 1 ? `the largest gain is ${decimal(most.gain)}, for ${most.kind.replaceAll('_', ' ')}` : `${kinds.length} kinds`;
  return [
    {
      type: 'charts',
      size: 'wide',
      charts: [
        {
          kind: 'intervals',
          title: 'Gold reward by kind of question, temperature 1',
          says,
          x: { label: 'gold reward', domain: [0, 1], format: (value) => decimal(value) },
          rows: kinds.map((kind) => kind.replaceAll('_', ' ')),
          series: keys.map((key) => ({ name: modelLabel(key), values: kinds.map((kind) => kindsOf(key)[kind]) })),
        },
      ],
    },
  ];
}

interface Measure {
  label: string;
  /** Defined for samples, or for the model alone: no row of greedy answers. */
  sampled?: boolean;
  of: (decoded: Decoded, model: VerdictModel) => Cell | undefined;
}

const mean = (interval: Interval | undefined, write: (value: number) => string = decimal): Cell | undefined =>
  interval && { text: write(interval.mean), note: range(interval.ci95, write) || undefined };
const plain = (value: number | undefined, write: (value: number) => string = decimal) => (value === undefined ? undefined : write(value));

const MEASURES: Measure[] = [
  { label: 'reward model’s score', of: ({ score }) => mean(score) },
  {
    label: 'held-out conversations, nats a token',
    sampled: true,
    of: (_, { eval_loss }) => plain(eval_loss, (value) => decimal(value, 3)),
  },
  {
    label: 'held-out text, bits per byte',
    sampled: true,
    of: (_, { text_bits_per_byte }) => plain(text_bits_per_byte, (value) => decimal(value, 3)),
  },
  { label: 'exact match', of: ({ exact_match }) => plain(exact_match, percent) },
  { label: 'KL, nats an answer', sampled: true, of: ({ kl }) => mean(kl) },
  { label: 'entropy, nats a token', sampled: true, of: ({ entropy }) => plain(entropy) },
  { label: 'distinct-2', of: ({ distinct_2 }) => plain(distinct_2) },
  { label: 'length, tokens', of: ({ response_length }) => plain(response_length, (value) => value.toFixed(1)) },
  { label: 'answers that end', of: ({ ended, parts }) => plain(ended ?? parts['ended'], percent) },
];

/** What the verdict measures, one row each, models beside each other; and what of it nobody measured. */
export function measuresOf({ models, reference }: Verdict, decoding: 'sampled' | 'greedy'): Measure[] {
  const parts = [...new Set(Object.values(models).flatMap(({ decodings }) => Object.keys(decodings[decoding]?.parts ?? {})))].filter(
    (part) => part !== 'ended',
  );
  const gold = (decoded: Decoded, model: VerdictModel) =>
    mean(decoded.gold_reward ?? (decoding === 'sampled' ? model.gold_reward : undefined));
  return [
    { label: 'gold reward', of: gold },
    ...parts.map((part) => ({ label: `– ${part}`, of: (decoded: Decoded) => plain(decoded.parts[part]) })),
    ...MEASURES.filter(({ sampled }) => !sampled || decoding === 'sampled'),
    {
      label: `win rate against ${reference === undefined ? 'the reference' : modelLabel(reference)}`,
      of: ({ win_rate }) => mean(win_rate, percent),
    },
  ];
}

const DECODINGS = { sampled: 'temperature 1', greedy: 'greedy' };

function decodingBlocks(verdict: Verdict, decoding: 'sampled' | 'greedy'): Block[] {
  const title = DECODINGS[decoding];
  const decoded = Object.entries(verdict.models).flatMap(([key, model]) => {
    const own = model.decodings[decoding] ?? (decoding === 'sampled' && model.gold_reward ? NO_PARTS : undefined);
    return own ? [{ key, model, own }] : [];
  });
  if (decoded.length === 0) return [missing(`answers of any model, ${title}`)];
  const rows = measuresOf(verdict, decoding).map(({ label, of }) => ({ label, cells: decoded.map(({ own, model }) => of(own, model)) }));
  const absent = rows.filter(({ cells }) => cells.every((cell) => cell === undefined)).map(({ label }) => label);
  const present = rows.filter(({ label }) => !absent.includes(label));
  return [
    { type: 'heading', text: capital(title) },
    {
      type: 'table',
      header: ['', ...decoded.map(({ key }) => modelLabel(key))],
      rows: present.map(({ label, cells }) => [label, ...cells.map((cell) => cell ?? NOTHING)]),
      align: ['left', ...decoded.map(() => 'right' as const)],
    },
    ...(absent.length > 0 ? [missing(`${absent.join('; ')} (${title})`)] : []),
  ];
}

/** A decoding of which the gold reward alone is recorded, beside the model. */
const NO_PARTS: Decoded = { parts: {}, by_kind: {} };

/** What can be said of a run that has no verdict. */
function withoutVerdict(run: Run): Block[] {
  const lines: string[] = [];
  for (const { metrics } of stepsOf(run, 'ppo')) {
    for (const [key, name] of [
      ['eval/gold', 'the gold reward'],
      ['eval/score', 'the score'],
    ]) {
      const points = pointsOf(metrics, key);
      const [first, last] = [points[0], points.at(-1)];
      if (first && last && points.length > 1) {
        lines.push(
          `During PPO, on its own evaluation prompts, ${name} went from ${decimal(first.y)} to ${decimal(last.y)} (no interval recorded).`,
        );
      }
    }
  }
  const lead = 'There is no verdict: no step of this run compared its models on the same prompts.';
  return [{ type: 'lead', text: lead }, missing('verdict.json, which a step of kind verdict writes'), ...list(lines)];
}
