import type { Stats } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { glob, isDynamicPattern } from 'tinyglobby';
import { UserError } from '../../util/errors.js';
import { errorCode } from '../../util/files.js';
import { belongs, endingsOf, type Format, sourceName } from './formats.js';
import type { Found } from './found.js';

/** A file to read. */
export interface Input {
  path: string;
  /** Without the folders above the one that was given. */
  name: string;
  /** Name of the source that was given: the file's or folder's, without endings. */
  source: string;
  /** It belongs to a tree of source code. */
  code: boolean;
}

/**
 * The files that paths lead to, each once: files, folders (all that is below, in the order of names; hidden files left out) and glob patterns.
 * Of a folder those are taken whose ending the format has. What cannot be followed, such as a loop of symbolic links, is put aside.
 * @throws UserError where there is nothing at a path, or nothing to read in a folder.
 */
export async function listInputs(paths: readonly string[], format: Format | undefined, found: Found): Promise<Input[]> {
  const inputs: Input[] = [];
  for (const given of paths) {
    for (const file of await expand(given)) {
      const stat = await statOf(file);
      if (!stat.isDirectory() && !stat.isFile()) {
        throw new UserError(
          `import: ${file} must be a file, a folder or a pattern; it is a pipe or a device. Write what it gives to a file`,
        );
      }
      if (stat.isFile()) inputs.push({ path: file, name: path.basename(file), source: sourceName(file), code: format === 'code' });
      else inputs.push(...(await listFolder(file, format, found)));
    }
  }
  const seen = new Set<string>();
  const once: Input[] = [];
  for (const input of inputs) {
    const real = await fs.realpath(input.path);
    if (!seen.has(real)) once.push(input);
    seen.add(real);
  }
  return once;
}

/** The path itself, or the files that the pattern matches. */
async function expand(given: string): Promise<string[]> {
  if ((await fs.lstat(given).catch(() => undefined)) !== undefined || !isDynamicPattern(given)) return [given];
  const files = (await glob(given.split(path.sep).join('/'), { expandDirectories: false })).sort();
  if (files.length > 0) return files;
  throw new UserError(`import: a pattern must match files; none matches ${given}. Hidden files are matched only by a pattern with the dot`);
}

async function statOf(given: string): Promise<Stats> {
  try {
    return await fs.stat(given);
  } catch (cause) {
    const code = errorCode(cause);
    const what =
      code === 'ENOENT' ? 'there is none' : code === 'ELOOP' ? 'it is a symbolic link that leads to itself' : `it cannot be read (${code})`;
    throw new UserError(
      `import: ${given} must be a file, a folder or a pattern; ${what}. Check the path, or bring data with fourfold data fetch`,
      1,
      { cause },
    );
  }
}

async function listFolder(root: string, format: Format | undefined, found: Found): Promise<Input[]> {
  const absolute = path.resolve(root);
  const source = path.basename(absolute);
  const code = format === 'code' || (format === undefined && (await isSourceTree(root)));
  const inputs: Input[] = [];
  for await (const name of walk(root, code, found)) {
    if (belongs(name, code ? 'code' : format))
      inputs.push({ path: path.join(root, name), name: name.split(path.sep).join('/'), source, code });
    else found.skip(code ? 'files of no known language' : 'files of other formats');
  }
  if (inputs.length > 0) return inputs;
  throw new UserError(
    `import: the folder ${root} must hold files that end ${code ? '' : 'in '}${endingsOf(code ? 'code' : format)}; it holds none`,
  );
}

/** A folder with version control is read as source code whole. */
async function isSourceTree(root: string): Promise<boolean> {
  const names = await fs.readdir(root);
  return names.includes('.git') || names.includes('.gitignore');
}

interface Rules {
  /** Folder that they stand in, relative to the root. */
  folder: string;
  rules: Ignore;
}

/** Files below a folder by their paths relative to it, in the order of names at each level. */
async function* walk(
  root: string,
  code: boolean,
  found: Found,
  folder = '',
  above: readonly string[] = [],
  rules: readonly Rules[] = [],
): AsyncGenerator<string> {
  const here = path.join(root, folder);
  const real = await fs.realpath(here);
  const ownRules = code ? [...rules, ...(await rulesOf(here, folder))] : rules;
  for (const name of (await fs.readdir(here)).sort()) {
    if (name.startsWith('.')) continue;
    const relative = path.join(folder, name);
    found.file = path.join(root, relative);
    const stat = await fs.stat(found.file).catch((error) => errorCode(error));
    if (typeof stat !== 'object') {
      const why =
        stat === 'ELOOP' ? 'a symbolic link that leads to itself' : stat === 'ENOENT' ? 'a symbolic link that leads nowhere' : stat;
      found.reject({}, 'not readable', `it is ${why}`);
    } else if (code && isIgnored(relative, stat.isDirectory(), ownRules)) found.skip('files and folders that .gitignore names');
    else if (stat.isFile()) yield relative;
    else if (!stat.isDirectory()) found.reject({}, 'not readable', 'it is neither a file nor a folder');
    else if ([...above, real].includes(await fs.realpath(found.file))) {
      found.reject({}, 'not readable', 'it is a symbolic link that leads back to a folder above it');
    } else yield* walk(root, code, found, relative, [...above, real], ownRules);
  }
}

async function rulesOf(directory: string, folder: string): Promise<Rules[]> {
  const text = await fs.readFile(path.join(directory, '.gitignore'), 'utf8').catch(() => undefined);
  return text === undefined ? [] : [{ folder, rules: ignore({ ignorecase: false }).add(text) }];
}

/** As git does: the rules that stand deepest decide, if one of them matches. */
function isIgnored(relative: string, isFolder: boolean, rules: readonly Rules[]): boolean {
  for (const { folder, rules: own } of rules.toReversed()) {
    const inner = path.relative(folder, relative).split(path.sep).join('/');
    const { ignored, unignored } = own.test(isFolder ? `${inner}/` : inner);
    if (ignored || unignored) return ignored;
  }
  return false;
}
