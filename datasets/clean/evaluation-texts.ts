import fs from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../util/errors.js';
import { readBatches } from '../arrow.js';

/** A text of an evaluation set, and its row, from 1. */
export interface EvaluationText {
  row: number;
  text: string;
}

/** @throws UserError when the file cannot be read or is not what its ending says. */
export async function* evaluationTexts(file: string): AsyncGenerator<EvaluationText> {
  const ending = path.extname(file).toLowerCase();
  let row = 0;
  if (ending === '.arrow') {
    for await (const batch of readBatches(file)) for (const value of batch) yield* texts(JSON.parse(JSON.stringify(value, plain)), ++row);
    return;
  }
  const contents = await fs.readFile(file, 'utf8').catch((cause) => {
    throw new UserError(`clean: --against must name files that can be read; ${file} cannot (${cause.code}). Check the path`, 1, { cause });
  });
  if (ending === '.json') {
    const value = parsed(contents, file);
    for (const element of Array.isArray(value) ? value : [value]) yield* texts(element, ++row);
  } else if (ending === '.jsonl') {
    for (const line of contents.split('\n')) {
      row++;
      if (line.trim() !== '') yield* texts(parsed(line, `${file}:${row}`), row);
    }
  } else {
    for (const text of contents.split(/\n\s*\n/)) yield { row: ++row, text };
  }
}

/** Every text in a row, however deep. */
function* texts(value: unknown, row: number): Generator<EvaluationText> {
  if (typeof value === 'string') yield { row, text: value };
  else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) yield* texts(inner, row);
}

function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

function parsed(json: string, place: string): unknown {
  try {
    return JSON.parse(json.replace(/^\ufeff/, ''));
  } catch (error) {
    throw new UserError(
      `clean: an evaluation set of this ending must be JSON; ${place} is not (${(error as Error).message}). Mend or convert it`,
    );
  }
}
