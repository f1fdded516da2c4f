import type { Columns } from './columns.js';

/** Formats whose rows are answers to a prompt, the better ones told from the worse. */
export const PREFERENCE_FORMATS = ['sharegpt_dpo', 'chosen_rejected', 'hh_rlhf', 'rankings', 'solutions'] as const;
export type PreferenceFormat = (typeof PREFERENCE_FORMATS)[number];

/** Formats whose rows are conversations, prompts or preferences. */
export const CHAT_FORMATS = [
  'alpaca',
  'sharegpt',
  'moss',
  'chatglm',
  'messages',
  'prompt_completion',
  'prompts',
  ...PREFERENCE_FORMATS,
] as const;
export type ChatFormat = (typeof CHAT_FORMATS)[number];

/** What a file becomes. */
export type ImportTable = 'corpus' | 'conversations' | 'prompts' | 'preferences';

/** What a row of a conversation, or of preferences, is made of. */
export type Part =
  | 'prompt'
  | 'input'
  | 'response'
  | 'instances'
  | 'messages'
  | 'system'
  | 'history'
  | 'weight'
  | 'reference'
  | 'chosen'
  | 'rejected'
  | 'responses'
  | 'ranks'
  | 'margin'
  | 'margins'
  | 'scores'
  | 'chosen_score'
  | 'rejected_score'
  | 'annotator';

/** Columns of a part by their names; the first that a row has. */
type Names = Partial<Record<Part, readonly string[]>>;

const common: Names = { system: ['system'], weight: ['weight'] };
const before: Names = { system: ['system'], history: ['history'] };
const annotator: Names = { annotator: ['annotator', 'annotator_id', 'worker', 'worker_id'] };
const pair: Names = {
  chosen: ['chosen'],
  rejected: ['rejected'],
  margin: ['margin'],
  chosen_score: ['chosen_score', 'score_chosen'],
  rejected_score: ['rejected_score', 'score_rejected'],
  ...annotator,
};

/**
 * What data sets call their parts. Sources: Stanford Alpaca, self-instruct, Dolly, FastChat, MOSS, ChatGLM-6B, OpenAI, TRL, HH-RLHF, LLaMA-Factory,
 * UltraFeedback, grade-school-math.
 */
const NAMES: Record<ChatFormat, Names> = {
  alpaca: {
    prompt: ['instruction'],
    input: ['input', 'context'],
    response: ['output', 'response'],
    instances: ['instances'],
    history: ['history'],
    ...common,
  },
  sharegpt: { messages: ['conversations', 'conversation'], ...common },
  moss: { messages: ['chat'], weight: ['weight'] },
  chatglm: { prompt: ['prompt'], response: ['response'], history: ['history'], ...common },
  messages: { messages: ['messages'], ...common },
  prompt_completion: { prompt: ['prompt'], response: ['completion'], history: ['history'], ...common },
  prompts: {
    prompt: ['prompt'],
    reference: ['reference', 'answer', 'solution', 'ground_truth', 'target'],
    ...before,
  },
  sharegpt_dpo: { messages: ['conversations', 'conversation', 'messages'], system: ['system'], ...pair },
  chosen_rejected: { prompt: ['prompt', 'question'], ...before, ...pair },
  hh_rlhf: pair,
  rankings: {
    prompt: ['prompt'],
    responses: ['responses'],
    ranks: ['ranks'],
    margins: ['margins'],
    scores: ['scores'],
    ...before,
    ...annotator,
  },
  solutions: { prompt: ['question', 'problem', 'prompt'], system: ['system'] },
};

/** Parts without which there is no row; of those in one list, one. In the order in which a first row is asked for them. */
const NEEDS: readonly [ChatFormat, readonly (readonly Part[])[]][] = [
  ['sharegpt_dpo', [['messages'], ['chosen'], ['rejected']]],
  ['chosen_rejected', [['chosen'], ['rejected']]],
  ['hh_rlhf', [['chosen'], ['rejected']]],
  ['rankings', [['prompt'], ['responses'], ['ranks']]],
  ['solutions', [['prompt']]],
  ['messages', [['messages']]],
  ['sharegpt', [['messages']]],
  ['moss', [['messages']]],
  ['alpaca', [['prompt'], ['response', 'instances']]],
  ['chatglm', [['prompt'], ['response']]],
  ['prompt_completion', [['prompt'], ['response']]],
  ['prompts', [['prompt']]],
];

/** Columns of rankings and preferences: such rows have a prompt, too, and are something else. */
const PREFERENCES = ['chosen', 'rejected', 'responses', 'ranks'];
/** Keys of a solution that say whether it is right. */
export const IS_CORRECT = ['is_correct', 'correct'];

export const isPreferenceFormat = (format: string): format is PreferenceFormat =>
  (PREFERENCE_FORMATS as readonly string[]).includes(format);

export const isChatFormat = (format: string): format is ChatFormat => (CHAT_FORMATS as readonly string[]).includes(format);

export function tableOf(format: string): ImportTable {
  if (isPreferenceFormat(format)) return 'preferences';
  return format === 'prompts' ? 'prompts' : isChatFormat(format) ? 'conversations' : 'corpus';
}

/**
 * The format of rows with these columns, if they are conversations, prompts or preferences.
 * @param names those within a column as `column.name`, too.
 */
export function chatFormatOf(names: readonly string[]): ChatFormat | undefined {
  const isPreference = PREFERENCES.some((name) => names.includes(name));
  return NEEDS.find(
    ([format, needs]) =>
      (!isPreference || isPreferenceFormat(format)) &&
      needs.every((parts) => parts.some((part) => NAMES[format][part]?.some((name) => names.includes(name)))) &&
      looksLike(format, names),
  )?.[0];
}

/** What tells formats apart whose columns have the same names. */
function looksLike(format: ChatFormat, names: readonly string[]): boolean {
  const within = (column: string) => names.some((name) => name.startsWith(`${column}.`));
  if (format === 'chosen_rejected') return within('chosen') || NAMES.chosen_rejected.prompt!.some((name) => names.includes(name));
  if (format === 'solutions') return names.some((name) => IS_CORRECT.some((key) => name.endsWith(`.${key}`)));
  return true;
}

/** The format that columns of the user's own naming make: they say what is read, whatever else a row has. */
export function ownChatFormat({ messages, response, prompt, reference, ...others }: Columns): ChatFormat | undefined {
  if (others.chosen !== undefined || others.rejected !== undefined) return messages === undefined ? 'chosen_rejected' : 'sharegpt_dpo';
  if (others.responses !== undefined || others.ranks !== undefined) return 'rankings';
  if (messages !== undefined) return 'messages';
  if (response !== undefined) return 'prompt_completion';
  return prompt !== undefined || reference !== undefined ? 'prompts' : undefined;
}

/** Names that the columns of a part may have: the user's own one, or those of the format. */
export function columnsOf(format: ChatFormat, part: Part, columns: Columns): readonly string[] {
  const own = (columns as Partial<Record<Part, string>>)[part];
  return NAMES[format][part] === undefined ? [] : own === undefined ? NAMES[format][part] : [own];
}

/** What --columns may name. */
export const ownParts = (format: ChatFormat) => Object.keys(NAMES[format]).filter((part) => part !== 'input' && part !== 'instances');

/** All columns that may be read. */
export const chatColumns = (format: ChatFormat, columns: Columns) =>
  (Object.keys(NAMES[format]) as Part[]).flatMap((part) => columnsOf(format, part, columns));

/** Of each thing that a row must have, the columns one of which holds it. */
export function neededColumns(format: ChatFormat, columns: Columns): string[][] {
  const [, needs] = NEEDS.find(([name]) => name === format)!;
  return needs.map((parts) => parts.flatMap((part) => columnsOf(format, part, columns)));
}
