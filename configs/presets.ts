import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageRoot } from '../util/package-root.js';

/** The file of a ready configuration, `shakespeare-char` for example, where no file of that name lies here. */
export function presetPath(name: string): string | undefined {
  if (existsSync(name)) return undefined;
  const preset = basename(name, '.yaml');
  return name === preset || name === `configs/${preset}.yaml` ? presetFile(preset) : undefined;
}

/** The names of the ready configurations that come with the package. */
export function presetNames(): string[] {
  const files = readdirSync(packagedConfigs()).filter((file) => file.endsWith('.yaml'));
  return files.map((file) => basename(file, '.yaml')).sort();
}

function presetFile(name: string): string | undefined {
  return presetNames().includes(name) ? join(packagedConfigs(), `${name}.yaml`) : undefined;
}

function packagedConfigs(): string {
  return join(packageRoot(), 'configs');
}
