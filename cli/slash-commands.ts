import { homedir } from 'node:os';
import { join } from 'node:path';
import { closest } from '../configs/suggest.js';
import type { ChatSession } from '../sampler/chat.js';
import { UserError } from '../util/errors.js';
import { table } from '../util/terminal.js';

/** What the commands within a chat work on. */
export interface Talk {
  readonly session: ChatSession;
  /** Says something that is not of the model. */
  note(text: string): void;
  /** Gives the last answer anew, as it comes. */
  regenerate(): Promise<void>;
}

interface SlashCommand {
  argument?: string;
  does: string;
  /** Gives `'leave'` where it ends the chat. */
  run(talk: Talk, argument: string): unknown;
}

const COMMANDS: Record<string, SlashCommand> = {
  help: {
    does: 'show this',
    run: ({ note }) => note(help()),
  },
  reset: {
    does: 'forget what was said, but for the system prompt',
    run({ session, note }) {
      session.reset();
      note('The conversation begins anew.');
    },
  },
  system: {
    argument: '[TEXT]',
    does: 'show the system prompt, or put another in its place; - takes it away',
    run({ session, note }, text) {
      if (text !== '') session.setSystem(text === '-' ? undefined : text);
      note(session.system === undefined ? 'There is no system prompt.' : `The system prompt is: ${session.system}`);
    },
  },
  temperature: {
    argument: '[T]',
    does: 'show the temperature, or set it; 0: always the likeliest token',
    run({ session, note }, text) {
      if (text !== '') session.setTemperature(temperatureOf(text));
      note(`The temperature is ${session.temperature}.`);
    },
  },
  regenerate: {
    does: 'answer the last message again',
    async run(talk) {
      await talk.regenerate();
      if (talk.session.temperature === 0)
        talk.note('At temperature 0 the same conversation always has the same answer; /temperature 0.8 gives others.');
    },
  },
  save: {
    argument: 'FILE',
    does: 'write the conversation as OpenAI messages (JSONL), for fourfold data import',
    async run({ session, note }, file) {
      const { conversation } = session;
      if (file === '') throw new UserError('/save: a file must be named; there is none. For example: /save talk.jsonl');
      if (!conversation.some(({ role }) => role === 'assistant'))
        throw new UserError('/save: there must be an answer to write; nothing was answered yet. Ask something');
      const { saveMessages } = await import('../datasets/save-messages.js');
      const path = file.startsWith('~/') ? join(homedir(), file.slice(2)) : file;
      await saveMessages(path, conversation);
      note(`${path}: ${conversation.length} messages`);
    },
  },
  exit: {
    does: 'leave; Ctrl-D does, too',
    run: () => 'leave' as const,
  },
};

/** Whether a line is a command. A message that begins with a slash is written with a space before it. */
export function isSlashCommand(line: string): boolean {
  return line.startsWith('/');
}

/**
 * Runs a command. Gives whether the chat goes on.
 * @throws UserError when there is no such command, or it cannot be done.
 */
export async function runSlashCommand(line: string, talk: Talk): Promise<boolean> {
  const [, name, argument] = /^\/(\S*)\s*(.*)$/s.exec(line)!;
  if (!Object.hasOwn(COMMANDS, name)) {
    const near = closest(name, Object.keys(COMMANDS));
    throw new UserError(
      `/${name}: there is no such command; ${near ? `did you mean /${near}?` : '/help shows those there are.'} A message that begins with / is written with a space before it`,
    );
  }
  return (await COMMANDS[name].run(talk, argument.trim())) !== 'leave';
}

function help(): string {
  const rows = Object.entries(COMMANDS).map(([name, { argument = '', does }]) => [`/${name} ${argument}`.trim(), does]);
  return `${table(rows)}\nCtrl-C stops an answer. A line that ends in \\ goes on in the next one.`;
}

function temperatureOf(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new UserError(`/temperature: it must be a number, 0 or more; received ${text}. For example: /temperature 0.8`);
}
