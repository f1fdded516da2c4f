import { Template } from '@huggingface/jinja';
import { UserError } from '../util/errors.js';

/** A chat template's Jinja, as Python transformers renders it, on one day for ever: a text that depends on the clock could not be resumed. */
export class ChatJinja {
  private readonly template: Template;

  /** @throws UserError when the Jinja cannot be read. */
  constructor(source: string) {
    try {
      // Set within the text, since the library lets nobody else define it again. The line feed is the block's own and is taken with it.
      // Line ends are line feeds to Jinja.
      this.template = new Template(`{% set strftime_now = on_one_day %}\n${source.replace(/\r\n?/g, '\n')}`);
    } catch (cause) {
      throw new UserError(`chat template: it must be Jinja; ${(cause as Error).message}. Correct it`, 1, { cause });
    }
  }

  /** @throws what the template raises. */
  render(values: { messages: readonly object[]; add_generation_prompt: boolean; [name: string]: unknown }): string {
    return this.template.render({ ...values, tools: null, documents: null, on_one_day: onOneDay });
  }
}

/** What templates of Llama 3 take where nobody tells them the date. */
const DAY = {
  Y: '2024',
  y: '24',
  m: '07',
  d: '26',
  j: '208',
  B: 'July',
  b: 'Jul',
  A: 'Friday',
  a: 'Fri',
  H: '00',
  M: '00',
  S: '00',
  '%': '%',
};

function onOneDay(format: string): string {
  return format.replace(/%([a-zA-Z%])/g, (code, letter: string) => DAY[letter as keyof typeof DAY] ?? code);
}
