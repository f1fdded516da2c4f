import fs from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Message } from '../tokenizer/index.js';
import { UserError, writeError } from '../util/errors.js';
import { errorCode, makeFolder } from '../util/files.js';

/**
 * Writes a conversation as a line of OpenAI's JSONL (`{"messages": [{"role", "content"}, …]}`), which `fourfold data import` reads.
 * @throws UserError when the file is there already, or cannot be written.
 */
export async function saveMessages(path: string, messages: readonly Message[]): Promise<void> {
  await makeFolder(dirname(path));
  await fs.writeFile(path, `${JSON.stringify({ messages })}\n`, { flag: 'wx' }).catch((error) => {
    if (errorCode(error) !== 'EEXIST') throw writeError(path, error);
    throw new UserError(`save a conversation: ${path} is there already, and nothing is overwritten. Take another name`, 1, {
      cause: error,
    });
  });
}
