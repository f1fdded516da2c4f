import { closest } from '../configs/suggest.js';
import { type ModelConfig, outputName } from '../model/config.js';
import { diskNames } from '../model/layout.js';
import { UserError } from '../util/errors.js';

/**
 * The parameters that patterns name, by their names in memory.
 * @param patterns Hugging Face's names, in which `*` stands for any characters: `model.layers.0.*`, `*embed_tokens*`.
 * @throws UserError when a pattern names nothing or a part of a fused matrix only, or when nothing is left to be trained.
 */
export function frozenParameters(config: ModelConfig, patterns: readonly string[]): Set<string> {
  const names = diskNames(config);
  const onDisk = [...names.values()].flat();
  const expressions = patterns.map(expressionOf);
  for (const [i, pattern] of patterns.entries()) {
    if (!onDisk.some((name) => expressions[i].test(name))) throw matchesNothing(config, pattern, onDisk);
  }
  const frozen = new Set<string>();
  for (const [parameter, parts] of names) {
    const matched = parts.filter((name) => expressions.some((expression) => expression.test(name)));
    if (matched.length === parts.length) frozen.add(parameter);
    else if (matched.length > 0) throw matchesPart(matched, parts);
  }
  if (frozen.size === names.size) {
    throw new UserError(
      `freeze: a parameter must be left to train; ${patterns.join(', ')} freeze all ${onDisk.length} tensors. Remove a pattern`,
    );
  }
  return frozen;
}

function expressionOf(pattern: string): RegExp {
  const literal = pattern.split('*').map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`);
}

function matchesNothing(config: ModelConfig, pattern: string, onDisk: readonly string[]): UserError {
  const tied = config.tie_word_embeddings && expressionOf(pattern).test('lm_head.weight');
  const near = closest(pattern, patternsOf(onDisk));
  const meant = tied
    ? `The output table is tied: it is ${outputName(config)}`
    : near === undefined
      ? `The tensors are ${onDisk.slice(0, 4).join(', ')} … ${onDisk[onDisk.length - 1]}`
      : `Did you mean ${near}?`;
  return new UserError(
    `freeze: a pattern must name a tensor of model.safetensors (* stands for anything); ${pattern} names none. ${meant}`,
  );
}

function matchesPart(matched: readonly string[], parts: readonly string[]): UserError {
  return new UserError(
    `freeze: ${parts.join(', ')} are one matrix in memory and must be frozen together; the patterns name ${matched.join(', ')} alone. ` +
      `Name ${parts.filter((name) => !matched.includes(name)).join(', ')}, too, or none of them`,
  );
}

/** What somebody may have meant: every name, every part of one with what lies below it (`model.layers.0.*`), and every word (`*mlp*`). */
function patternsOf(names: readonly string[]): Set<string> {
  const patterns = new Set(names);
  for (const name of names) {
    const words = name.split('.');
    words.forEach((word, i) => {
      patterns.add(`${words.slice(0, i + 1).join('.')}.*`);
      patterns.add(`*${word}*`);
      patterns.add(`*.${word}.*`);
    });
  }
  return patterns;
}
