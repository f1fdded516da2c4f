import { closest } from '../../configs/suggest.js';
import { UserError } from '../../util/errors.js';
import type { CorpusRule, DocumentRule, Parameter, Rule, Value, Values } from './rule.js';
import { DEFAULT_RULES, RULES } from './rules.js';

/** A rule with the values it goes by. */
export interface Link<R extends Rule = Rule> {
  rule: R;
  values: Values;
}

/** Rules that are run in one pass over the documents; the keys of the corpus-wide one at its end are compared after it. */
export interface Pass {
  links: Link<DocumentRule>[];
  compare?: Link<CorpusRule>;
}

/** `rule.key=value`, as on the command line. */
export function splitSetting(text: string): [string, string] {
  const sign = text.indexOf('=');
  if (sign <= 0) throw new UserError(`clean: a parameter is given as rule.key=value; received ${text}`);
  return [text.slice(0, sign), text.slice(sign + 1)];
}

/**
 * The chain of rules by their names, in the order given.
 * @param against whether there are evaluation sets: then `decontaminate` is one of the default rules, and required.
 * @param settings `rule.key` → value, or its text.
 * @throws UserError for what is unknown, out of range, given twice, or of a rule that is not in the chain.
 */
export function resolveChain(
  names: readonly string[] | undefined,
  settings: Readonly<Record<string, Value | string>>,
  against: boolean,
): Link[] {
  const withSets = ({ name }: Rule) => DEFAULT_RULES.includes(name) || (against && name === 'decontaminate');
  const rules = names === undefined ? RULES.filter(withSets) : names.map(ruleNamed);
  if (rules.length === 0)
    throw new UserError('clean: at least one rule is required; received none. Leave out --rules for the default ones');
  const twice = rules.find((rule, i) => rules.indexOf(rule) < i);
  if (twice) throw new UserError(`clean: a rule stands in the chain once; received ${twice.name} twice`);
  const decontaminates = rules.some(({ name }) => name === 'decontaminate');
  if (decontaminates && !against)
    throw new UserError('clean: decontaminate needs evaluation sets; received none. Name them with --against');
  if (against && !decontaminates)
    throw new UserError(
      `clean: evaluation sets (--against) are for the rule decontaminate; received the rules ${names!.join(',')}. Add it`,
    );
  const links = rules.map((rule) => ({ rule, values: defaultsOf(rule) as Record<string, Value> }));
  for (const [setting, value] of Object.entries(settings)) set(links, setting, value);
  return links;
}

/** Cuts a chain into passes: each ends with a corpus-wide rule, the last one with none. */
export function passesOf(chain: readonly Link[]): Pass[] {
  const passes: Pass[] = [{ links: [] }];
  for (const { rule, values } of chain) {
    const pass = passes.at(-1)!;
    if (rule.kind === 'document') pass.links.push({ rule, values });
    else {
      pass.compare = { rule, values };
      passes.push({ links: [] });
    }
  }
  return passes;
}

function ruleNamed(name: string): Rule {
  const rule = RULES.find((known) => known.name === name);
  if (rule) return rule;
  throw unknown(
    'rule',
    name,
    RULES.map((known) => known.name),
  );
}

function defaultsOf(rule: Rule): Values {
  return Object.fromEntries(Object.entries(rule.parameters).map(([key, parameter]) => [key, parameter.default]));
}

function set(links: readonly { rule: Rule; values: Record<string, Value> }[], setting: string, value: Value | string): void {
  const [name, key = '', ...rest] = setting.split('.');
  const known = ruleNamed(name);
  const link = links.find(({ rule }) => rule === known);
  if (link === undefined)
    throw new UserError(
      `clean: ${setting} is of the rule ${name}, which is not in the chain ${links.map(({ rule }) => rule.name).join(',')}. Add it to --rules`,
    );
  const keys = Object.keys(known.parameters);
  if (rest.length > 0 || !keys.includes(key)) throw unknown(`parameter of ${name}`, [key, ...rest].join('.'), keys);
  link.values[key] = checked(known.parameters[key], setting, value);
}

function checked(parameter: Parameter, setting: string, given: Value | string): Value {
  const must = (rule: string) => new UserError(`clean: ${setting} must be ${rule}; received ${String(given)}`);
  if (typeof parameter.default === 'boolean') {
    const value = given === 'true' ? true : given === 'false' ? false : given;
    if (typeof value !== 'boolean') throw must('true or false');
    return value;
  }
  if (typeof parameter.default === 'number') {
    const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY, whole } = parameter;
    const value = typeof given === 'string' && given.trim() !== '' ? Number(given) : given;
    if (typeof value !== 'number' || !Number.isFinite(value) || value < least || value > most || (whole && !Number.isInteger(value))) {
      const range = Number.isFinite(most) ? `from ${least} to ${most}` : `${least} or more`;
      throw must(`a ${whole ? 'whole ' : ''}number ${range}`);
    }
    return value;
  }
  const list = typeof given === 'string' ? given.split(',').map((item) => item.trim()) : given;
  const { choices = [] } = parameter;
  if (!Array.isArray(list) || list.length === 0 || list.some((item) => !choices.includes(item)))
    throw must(`one or more of ${choices.join(', ')}`);
  return [...new Set(list as string[])];
}

function unknown(what: string, name: string, known: readonly string[]): UserError {
  const meant = closest(name, known);
  const hint = meant ? `Did you mean ${meant}? ` : '';
  return new UserError(
    `clean: there is no ${what} ${JSON.stringify(name)}. ${hint}There ${known.length === 1 ? 'is' : 'are'} ${known.join(', ') || 'none'}`,
  );
}
