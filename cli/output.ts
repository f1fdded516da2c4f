import { UserError } from '../util/errors.js';
import { exists, writeFileAtomic } from '../util/files.js';

/** Writes a page and says so. @throws UserError when something is at `path` already and must not be replaced. */
export async function writePage(path: string, html: string, overwrite?: boolean): Promise<void> {
  await checkPage(path, overwrite);
  await writeFileAtomic(path, html);
  console.log(`${path}: written. Open it in a browser`);
}

/** The check of `writePage` by itself, before the work that the page shows. */
export async function checkPage(path: string, overwrite = false): Promise<void> {
  if (!overwrite && (await exists(path)))
    throw new UserError(`write a page: ${path} exists already. Choose another name, or say --overwrite`);
}
