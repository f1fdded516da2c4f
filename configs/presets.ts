import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageRoot } from '../util/package-root.js';

/** The file of a ready configuration, `shakespeare-char` for example, where no file of that name lies here. */
export function presetPath(name: string): string | undefined {
  return readyPath('configs', name);
}

/** The names of the ready configurations that come with the package. */
export function presetNames(): string[] {
  return readyNames('configs');
}

/** A YAML file of a folder of the package by its name, or by its path from the package's root, where no file of that name lies here. */
export function readyPath(folder: string, name: string): string | undefined {
  if (existsSync(name)) return undefined;
  const ready = basename(name, '.yaml');
  const named = name === ready || name === `${folder}/${ready}.yaml`;
  return named && readyNames(folder).includes(ready) ? join(packageRoot(), folder, `${ready}.yaml`) : undefined;
}

/** The names of the YAML files in a folder of the package. */
export function readyNames(folder: string): string[] {
  const files = readdirSync(join(packageRoot(), folder)).filter((file) => file.endsWith('.yaml'));
  return files.map((file) => basename(file, '.yaml')).sort();
}
