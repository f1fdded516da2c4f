import { UserError } from '../util/errors.js';
import { encodePieces, type Piece } from './encode-pieces.js';
import { ChatJinja } from './jinja.js';
import { type Mark, Marks } from './marks.js';
import type { Tokenizer } from './tokenizer.js';

/** Roles in the order in which a conversation may have them: a system message first or none, then user and assistant in turns. */
export const ROLES = ['system', 'user', 'assistant'] as const;

export interface Message {
  role: (typeof ROLES)[number];
  content: string;
}

/** Which tokens of a conversation are to be predicted. */
export type TrainOn = 'assistant' | 'last_assistant' | 'all';

export interface ChatEncodeOptions {
  /** `assistant`: every answer and the mark that ends it; `last_assistant`: the last one; `all`: all tokens but the first. */
  trainOn?: TrainOn;
  /** Go on to where the assistant's next answer begins. Nothing of that is to be predicted. */
  addGenerationPrompt?: boolean;
  /** Read contents that spell a special token as that token. */
  allowSpecial?: boolean;
  /**
   * Ids to take for the answer at an index instead of encoding it: those that a model gave after the generation prompt, without the mark that
   * ended them.
   */
  known?: ReadonlyMap<number, readonly number[]>;
}

export interface EncodedChat {
  ids: number[];
  /** 1 = the token is to be predicted. */
  supervised: Uint8Array;
}

/** A chat template over a tokenizer. The template holds the mark that begins a text; nothing is added to what it renders. */
export interface ChatTemplate {
  /** The Jinja text. */
  readonly source: string;
  /** Ids that end an answer: the tokenizer's eos, and the mark that the template puts after answers. */
  readonly stopIds: ReadonlySet<number>;
  /** @throws UserError when the template refuses the messages. */
  render(messages: readonly Message[], options?: { addGenerationPrompt?: boolean }): string;
  /**
   * The tokens of a conversation and which of them are to be predicted: what follows the generation prompt, up to and with the mark that ends the
   * answer. Masks come from structure: the template is rendered with placeholders for the contents, what lies between two marks is encoded by
   * itself, and the whole is asserted equal to encoding the rendered string (where contents spell special tokens, which stay text, the string
   * cannot tell them from marks; then nothing is compared).
   * @throws UserError when the template changes or leaves out a content, ends an answer with no mark, asks for an answer in other words than those
   * that stand before it, or joins an answer and its own text in one token.
   */
  encode(messages: readonly Message[], options?: ChatEncodeOptions): EncodedChat;
}

/** A text between two contents, or the place of a message's content. */
type Part = { literal: string } | { message: number };

const placeholder = (i: number) => `\ue000${i}\ue001`;
const PLACEHOLDER = /\ue000(\d+)\ue001/;

/** @throws UserError when the Jinja cannot be read. */
export function chatTemplate(source: string, tokenizer: Tokenizer): ChatTemplate {
  const jinja = new ChatJinja(source);
  const marks = new Marks(tokenizer);
  const token = (id: number) => (id < 0 ? '' : tokenizer.tokenOf(id)!);
  const { bos, eos, pad } = tokenizer.special;
  const globals = { bos_token: token(bos), eos_token: token(eos), pad_token: token(pad) };
  const structures = new Map<string, Part[]>();

  const render: ChatTemplate['render'] = (messages, { addGenerationPrompt = false } = {}) => {
    try {
      return jinja.render({ ...globals, messages, add_generation_prompt: addGenerationPrompt });
    } catch (cause) {
      const roles = messages.map(({ role }) => role).join(', ');
      throw new UserError(
        `chat template: it must render the messages (${roles}); it refuses: ${(cause as Error).message}. Choose another template`,
        1,
        { cause },
      );
    }
  };

  /** The template's own text and the places of the contents, which depend on the roles alone. It begins and ends with a text, if an empty one. */
  const structure = (messages: readonly Message[], addGenerationPrompt: boolean): Part[] => {
    const key = `${messages.map(({ role }) => role).join()} ${addGenerationPrompt}`;
    const known = structures.get(key);
    if (known) return known;
    const text = render(
      messages.map(({ role }, i) => ({ role, content: placeholder(i) })),
      { addGenerationPrompt },
    );
    const parts = text.split(PLACEHOLDER).map((part, i): Part => (i % 2 ? { message: Number(part) } : { literal: part }));
    for (const [i, { role }] of messages.entries()) {
      if (parts.filter((part) => 'message' in part && part.message === i).length === 1) continue;
      throw new UserError(
        `chat template: it must have each message's content once; it has not that of message ${i + 1} (${role}). Choose another template, or leave such messages out`,
      );
    }
    structures.set(key, parts);
    return parts;
  };

  /** What `before`, the text before an answer, has beyond the generation prompt: the model is to give it. Undefined where it begins otherwise. */
  const lead = (messages: readonly Message[], answer: number, before: string): string | undefined => {
    const { literal: asked } = structure(messages.slice(0, answer), true).at(-1) as { literal: string };
    return before.startsWith(asked) ? before.slice(asked.length) : undefined;
  };

  /** A text of the template as marks and texts, each with its mask. @param answers those that are to be predicted. */
  const literalPieces = (
    messages: readonly Message[],
    parts: readonly Part[],
    p: number,
    answers: ReadonlySet<number>,
    known: ReadonlyMap<number, readonly number[]>,
  ): Piece[] => {
    const { literal } = parts[p] as { literal: string };
    const [before, after] = [parts[p - 1], parts[p + 1]].map((part) => (part && 'message' in part ? part.message : -1));
    let own = literal;
    let [ends, begins] = ['', ''];
    if (answers.has(before) || known.has(before)) {
      const end = endOf(marks.split(literal));
      if (end === undefined && answers.has(before)) throw noEnd(literal);
      own = literal.slice(end?.length ?? 0);
      ends = end === undefined ? '' : known.has(before) ? end.trimStart() : end; // the ids hold the space
    }
    if (answers.has(after) || known.has(after)) {
      const found = lead(messages, after, literal);
      if (found === undefined && answers.has(after)) throw askedOtherwise(messages, after, literal);
      const length = Math.min(found?.length ?? 0, own.length);
      own = own.slice(0, own.length - length);
      if (length > 0 && !known.has(after)) begins = found!.slice(-length);
    }
    const pieces = (text: string, supervised: boolean) =>
      marks.split(text).map((part): Piece => (typeof part === 'string' ? { text: part, supervised } : { mark: part, supervised }));
    return [...pieces(ends, answers.has(before)), ...pieces(own, false), ...pieces(begins, answers.has(after))];
  };

  const encode: ChatTemplate['encode'] = (messages, options = {}) => {
    const {
      trainOn = 'assistant',
      addGenerationPrompt = false,
      allowSpecial = false,
      known = new Map<number, readonly number[]>(),
    } = options;
    const whole = render(messages, { addGenerationPrompt });
    const parts = structure(messages, addGenerationPrompt);
    const contents = renderedContents(messages, parts, whole);
    const answers = addGenerationPrompt ? new Set<number>() : answersOf(messages, trainOn);

    // 1. Marks and texts, each with its mask.
    const pieces = parts.flatMap((part, p): Piece[] => {
      if (!('message' in part)) return literalPieces(messages, parts, p, answers, known);
      const { message } = part;
      const ids = known.get(message);
      return [{ ...(ids ? { ids } : { text: contents[message] }), supervised: answers.has(message) }];
    });

    // 2. What lies between two marks with one mask is encoded together.
    const { ids, mask } = encodePieces(pieces, (text) => tokenizer.encode(text, { allowSpecial }));

    // 3. The same as encoding the whole string.
    const spelt = contents.some((content) => marks.spelt(content));
    if (known.size === 0 && (allowSpecial || !spelt)) checkWhole(tokenizer, whole, ids);
    const all = trainOn === 'all' && !addGenerationPrompt;
    return { ids, supervised: all ? new Uint8Array(ids.length).fill(1, 1) : Uint8Array.from(mask) };
  };

  const stopIds = (): ReadonlySet<number> => {
    const stops = new Set(eos < 0 ? [] : [eos]);
    const messages: Message[] = [
      { role: 'user', content: '' },
      { role: 'assistant', content: '' },
    ];
    const parts = structure(messages, false);
    const after = parts[parts.findIndex((part) => 'message' in part && part.message === 1) + 1] as { literal: string };
    const mark = marks.split(after.literal).find((part) => typeof part !== 'string');
    return endOf(marks.split(after.literal)) === undefined || !mark ? stops : stops.add(mark.id);
  };

  return { source, stopIds: stopIds(), render, encode };
}

function answersOf(messages: readonly Message[], trainOn: TrainOn): Set<number> {
  const all = messages.flatMap(({ role }, i) => (role === 'assistant' ? [i] : []));
  return new Set(trainOn === 'last_assistant' ? all.slice(-1) : all);
}

/** The text that ends an answer: the first mark, and white space before it. */
function endOf(parts: readonly (string | Mark)[]): string | undefined {
  const [first, second] = parts;
  if (first === undefined) return undefined;
  if (typeof first !== 'string') return first.content;
  return first.trim() === '' && second !== undefined && typeof second !== 'string' ? first + second.content : undefined;
}

/** The contents as the template has them: as they are, or without white space at their ends. */
function renderedContents(messages: readonly Message[], parts: readonly Part[], whole: string): string[] {
  const contents: string[] = messages.map(({ content }) => content);
  let at = 0;
  for (const [p, part] of parts.entries()) {
    if ('literal' in part) {
      if (!whole.startsWith(part.literal, at)) throw changed(messages, part, whole.slice(at));
      at += part.literal.length;
      continue;
    }
    const { literal: next } = parts[p + 1] as { literal: string };
    const found = keptOf(messages[part.message].content, whole, at, next);
    if (found === undefined) throw changed(messages, part, whole.slice(at));
    contents[part.message] = found;
    at += found.length;
  }
  return contents;
}

/** What `whole` has at `at` of a content, before `next`: as much of the white space at its ends as can be. */
function keptOf(content: string, whole: string, at: number, next: string): string | undefined {
  const core = content.trim();
  if (core === '') return [content, ''].find((text) => whole.startsWith(text + next, at));
  const begin = content.indexOf(core);
  const [lead, trail] = [content.slice(0, begin), content.slice(begin + core.length)];
  let from = at;
  while (from < at + lead.length && !whole.startsWith(core, from)) from++;
  const end = from + core.length;
  if (!lead.endsWith(whole.slice(at, from)) || !whole.startsWith(core, from)) return undefined;
  let length = 0;
  while (length < trail.length && whole[end + length] === trail[length]) length++;
  while (length >= 0 && !whole.startsWith(next, end + length)) length--;
  return length < 0 ? undefined : whole.slice(at, end + length);
}

function changed(messages: readonly Message[], part: Part, found: string): UserError {
  const what =
    'message' in part ? `message ${part.message + 1} (${messages[part.message].role})` : JSON.stringify(part.literal.slice(0, 40));
  return new UserError(
    `chat template: it must leave contents as they are, or trim them; at ${what} it has ${JSON.stringify(found.slice(0, 40))}. Choose another template`,
  );
}

function noEnd(literal: string): UserError {
  const found = literal === '' ? 'nothing' : JSON.stringify(literal.slice(0, 40));
  return new UserError(
    `chat template: a token of the tokenizer's own must end each answer, or generation would never stop; after one it has ${found}. Choose another template, or a tokenizer that has its tokens`,
  );
}

function askedOtherwise(messages: readonly Message[], answer: number, before: string): UserError {
  return new UserError(
    `chat template: what stands before an answer must begin as the generation prompt does, or the model is asked otherwise than it was trained; before message ${answer + 1} (${messages[answer].role}) it has ${JSON.stringify(before.slice(-60))}. Choose another template, or train on the last answer alone`,
  );
}

function checkWhole(tokenizer: Tokenizer, whole: string, ids: readonly number[]): void {
  const expected = tokenizer.encode(whole, { allowSpecial: true });
  if (expected.length === ids.length && expected.every((id, i) => id === ids[i])) return;
  const differs = expected.findIndex((id, i) => id !== ids[i]);
  const at = differs < 0 ? expected.length : differs;
  const near = (tokens: readonly number[]) => JSON.stringify(tokenizer.decode(tokens.slice(Math.max(0, at - 2), at + 3)));
  throw new UserError(
    `chat template: an answer must begin and end where tokens do; at token ${at} the whole text has ${near(expected)}, its parts ${near(ids)}. ` +
      'Remove the white space around the answer, or choose a template that trims',
  );
}
