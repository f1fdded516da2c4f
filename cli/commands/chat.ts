import { styleText } from 'node:util';
import { Command, Option } from 'commander';
import type { ChatAnswer, ChatSession, OnAnswer, OpenChat } from '../../sampler/chat.js';
import type { ContextMode } from '../../sampler/context-window.js';
import type { ModelOptions } from '../../sampler/model.js';
import { isUserError } from '../../util/errors.js';
import { hasColour } from '../../util/terminal.js';
import { withoutControls } from '../../util/visible.js';
import { type MessageInput, messageInput } from '../messages.js';
import { modelOptions, numberOption, samplingOptions, stopOption, wholeOption, withOptions } from '../options.js';
import { interruptible } from '../signals.js';
import { isSlashCommand, runSlashCommand } from '../slash-commands.js';

interface Options extends ModelOptions {
  system?: string;
  template?: string;
  maxTokens: number;
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  context: ContextMode;
  contextLength?: number;
  seed?: number;
  stop: string[];
}

export function chatCommand(): Command {
  const command = new Command('chat')
    .description('talk to a trained model; at a terminal, or with one message a line on stdin')
    .argument('<checkpoint>', 'directory of a checkpoint, for example runs/NAME/final')
    .option('--system <text>', 'system prompt')
    .option('--template <name>', 'chat template: chatml, llama3, alpaca, vicuna or a file of Jinja; the checkpoint’s own where not given')
    .option('--max-tokens <n>', 'longest answer, in tokens', wholeOption(1), 512)
    .option(
      '--temperature <t>',
      '0: always the likeliest token; below 1: safer, above 1: wilder',
      numberOption('a number, 0 or more', (value) => value >= 0),
      0.8,
    )
    .addOption(
      new Option('--context <name>', 'what leaves when the context is full: the oldest turns, or the oldest tokens')
        .choices(['truncate', 'sliding_window'])
        .default('truncate'),
    )
    .option('--context-length <n>', 'tokens that the model sees at a time; as many as it can where not given', wholeOption(8))
    .option('--seed <n>', 'the same seed gives the same answers; drawn and printed where not given', wholeOption(0))
    .addHelpText('after', '\nWithin the chat, /help lists its commands.')
    .action(async (checkpoint: string, { temperature, topK, topP, minP, repetitionPenalty, ...options }: Options) => {
      const { openChat } = await import('../../sampler/chat.js');
      const sampling = { temperature, topK, topP, minP, repetitionPenalty };
      const chat = await openChat(checkpoint, { ...options, sampling });
      try {
        await interruptible((signal) => talk(chat, messageInput(signal)), {
          stopping: 'Stopping',
          goOn: 'What was said is not kept; /save FILE writes it while the chat lasts',
        });
      } finally {
        chat.dispose();
      }
    });
  return withOptions(command, ...samplingOptions(), stopOption(), ...modelOptions());
}

/** Reads messages and prints answers, until there are no more. What is not the model's goes to stderr. */
async function talk(chat: OpenChat, input: MessageInput): Promise<void> {
  const { session } = chat;
  const answering = answerPrinter(session, input);
  const commands = { session, note, regenerate: () => answering((...to) => session.regenerate(...to)) };
  note(input.interactive ? titleOf(chat) : `seed ${chat.seed}`);
  try {
    for (let line = await input.next(); line !== undefined; line = await input.next()) {
      const text = line.trim();
      if (text === '') continue;
      try {
        if (!isSlashCommand(line)) await answering((...to) => session.send(text, ...to));
        else if (!(await runSlashCommand(line, commands))) return;
      } catch (error) {
        if (!input.interactive || !isUserError(error)) throw error;
        note(error.message);
      }
    }
  } finally {
    input.close();
  }
}

type Answering = (onText: OnAnswer, signal: AbortSignal) => Promise<ChatAnswer>;

/** Prints answers as they come, and then why each ended. */
function answerPrinter(session: ChatSession, input: MessageInput): (answering: Answering) => Promise<void> {
  let left = 0;
  const print: OnAnswer = (text) => {
    process.stdout.write(input.interactive ? withoutControls(text) : text);
  };
  return async (answering) => {
    const answer = await input.during((signal) => answering(print, signal));
    process.stdout.write('\n');
    if (answer.left > left) note(`The context of ${session.contextLength} tokens is full: ${leftOf(answer, session)}.`);
    left = answer.left;
    note(endOf(answer, session));
  };
}

function titleOf({ directory, parameters, session, on, seed }: OpenChat): string {
  const size = parameters < 1e6 ? `${(parameters / 1e3).toFixed(0)} K` : `${(parameters / 1e6).toFixed(1)} M`;
  const { contextLength, context } = session;
  const device = on.isa ? `${on.device} (${on.isa})` : on.device;
  return `${directory}: ${size} parameters, context ${contextLength} (${context}), on ${device}, seed ${seed}\n/help shows the commands.`;
}

function leftOf({ left }: ChatAnswer, { context }: ChatSession): string {
  const what = context === 'truncate' ? 'turn' : 'token';
  const [which, out] = left === 1 ? [`the oldest ${what}`, 'is'] : [`the ${left.toLocaleString('en')} oldest ${what}s`, 'are'];
  return `${which} ${out} no longer seen`;
}

function endOf({ finishReason, stopString, tokens, tokensPerSecond, seenTokens }: ChatAnswer, { contextLength }: ChatSession): string {
  const by = stopString === undefined ? '' : ` ${JSON.stringify(stopString)}`;
  const speed = tokensPerSecond > 0 ? `, ${tokensPerSecond.toFixed(1)} tokens/s` : '';
  return `[finish_reason ${finishReason}${by}; ${tokens.length} ${tokens.length === 1 ? 'token' : 'tokens'}${speed}; context ${seenTokens} of ${contextLength}]`;
}

/** Says on stderr, fainter, what is not of the model. */
function note(text: string): void {
  console.error(hasColour(process.stderr) ? styleText('dim', text, { validateStream: false }) : text);
}
