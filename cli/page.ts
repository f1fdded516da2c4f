import { UserError } from '../util/errors.js';
import { exists, writeFileAtomic } from '../util/files.js';

/** Requires that a page may be written to `file`. */
export async function checkPage(operation: string, file: string, overwrite = false): Promise<void> {
  if (!overwrite && (await exists(file))) throw new UserError(`${operation}: ${file} exists already. Choose another, or say --overwrite`);
}

/** Writes a page and says so. */
export async function writePage(file: string, page: string): Promise<void> {
  await writeFileAtomic(file, page);
  console.log(`${file}: written. Open it in a browser`);
}
