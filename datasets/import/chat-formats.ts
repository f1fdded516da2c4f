import type { Columns } from './columns.js';

/** Formats whose rows are conversations, or prompts. */
export const CHAT_FORMATS = ['alpaca', 'sharegpt', 'moss', 'chatglm', 'messages', 'prompt_completion', 'prompts'] as const;
export type ChatFormat = (typeof CHAT_FORMATS)[number];

/** What a file becomes. */
export type ImportTable = 'corpus' | 'conversations' | 'prompts';

/** What a row of a conversation is made of. */
export type Part = 'prompt' | 'input' | 'response' | 'instances' | 'messages' | 'system' | 'history' | 'weight' | 'reference';

/** Columns of a part by their names; the first that a row has. */
type Names = Partial<Record<Part, readonly string[]>>;

const common: Names = { system: ['system'], weight: ['weight'] };

/** What data sets call their parts. Sources: Stanford Alpaca, self-instruct, Dolly, FastChat, MOSS, ChatGLM-6B, OpenAI, TRL. */
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
    system: ['system'],
    history: ['history'],
  },
};

/** Parts without which there is no row; of those in one list, one. In the order in which a first row is asked for them. */
const NEEDS: readonly [ChatFormat, readonly (readonly Part[])[]][] = [
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

export const isChatFormat = (format: string): format is ChatFormat => (CHAT_FORMATS as readonly string[]).includes(format);

export const tableOf = (format: string): ImportTable =>
  format === 'prompts' ? 'prompts' : isChatFormat(format) ? 'conversations' : 'corpus';

/** The format of rows with these columns, if they are conversations or prompts. */
export function chatFormatOf(names: readonly string[]): ChatFormat | undefined {
  if (PREFERENCES.some((name) => names.includes(name))) return undefined;
  return NEEDS.find(([format, needs]) =>
    needs.every((parts) => parts.some((part) => NAMES[format][part]?.some((name) => names.includes(name)))),
  )?.[0];
}

/** The format that columns of the user's own naming make: they say what is read, whatever else a row has. */
export function ownChatFormat({ messages, response, prompt, reference }: Columns): ChatFormat | undefined {
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
