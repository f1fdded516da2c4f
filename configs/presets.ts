import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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

/** `configs/` of the package: beside this file in the sources; next to `dist/` when compiled. */
function packagedConfigs(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const compiled = basename(dirname(here)) === 'dist';
  return compiled ? join(here, '..', '..', 'configs') : here;
}
