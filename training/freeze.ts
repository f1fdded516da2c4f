import { closest } from '../configs/suggest.js';
import type { ModelConfig } from '../model/config.js';
import { diskNames } from '../model/layout.js';
import { UserError } from '../util/errors.js';

/**
 * The parameters that patterns freeze, by their names in memory.
 * @param patterns names on disk (Hugging Face's), with `*` for anything.
 * @throws UserError that names a pattern that matches nothing, a matrix in memory of which only a part matches, or that nothing is left to train.
 */
export function frozenParameters(config: ModelConfig, patterns: readonly string[]): Set<string> {
  const matches = patterns.map((pattern) => new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`));
  const parts = diskNames(config);
  const all = [...parts.values()].flat();
  const wrong = patterns.flatMap((pattern, i) => (all.some((name) => matches[i].test(name)) ? [] : [unknown(pattern, all)]));
  const frozen = new Set<string>();
  for (const [name, names] of parts) {
    const hit = names.filter((part) => matches.some((match) => match.test(part)));
    if (hit.length === names.length) frozen.add(name);
    else if (hit.length > 0)
      wrong.push(
        `${hit.join(', ')} lies with ${names.filter((part) => !hit.includes(part)).join(', ')} in one matrix: freeze all of them, or none`,
      );
  }
  if (frozen.size === parts.size) wrong.push('nothing is left to train');
  if (wrong.length === 0) return frozen;
  throw new UserError(
    `freeze: patterns must match parameters by their names in model.safetensors; received ${JSON.stringify(patterns)}: ${wrong.join('; ')}`,
  );
}

function unknown(pattern: string, names: readonly string[]): string {
  const near = closest(pattern, names);
  return `${pattern} matches none${near ? `, did you mean ${near}?` : `; there are such as ${names[1]}`}`;
}

function escaped(text: string): string {
  return text.replace(/[\\^$.+?()[\]{}|/-]/g, '\\$&');
}
