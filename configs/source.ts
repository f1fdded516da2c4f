import { type Document, isCollection, isMap, isScalar, LineCounter, type Node, parseDocument, type YAMLError } from 'yaml';
import { isSection } from './rules.js';

/** Aliases that multiply, or values in each other without end. */
const TOO_MUCH = 'not valid YAML: values may not be in each other without end; received thousands; write them out';

export type Path = readonly PropertyKey[];

/** Something wrong in a configuration, and the place to look at. */
export interface Problem {
  /** Order within the file; the command line comes after it. */
  order: number;
  /** `FILE:LINE:COLUMN`, or `command line: KEY=VALUE`. */
  place: string;
  text: string;
}

/** Values, and where each was written. */
export interface Placed {
  value: unknown;
  /** The value at `path`, or nothing. */
  at(path: Path): unknown;
  /** Where the value at `path` was written, or else the nearest thing around it. `key`: the name instead of the value. */
  place(path: Path, key?: boolean): Omit<Problem, 'text'>;
}

/** A YAML file with `key=value` overrides laid over it, which knows where each value was written. */
export class Source implements Placed {
  readonly problems: Problem[] = [];
  private readonly lines = new LineCounter();
  private readonly document: Document;
  private readonly overridden = new Map<string, string>();
  /** The plain values, to be checked against a schema. */
  value: unknown;
  /** Whether the file is YAML at all. */
  readonly valid: boolean;

  /**
   * @param file its name, for places; undefined: there is none, and the command line says all.
   * @param target what the names of an override stand for, where it is not their path in the file.
   */
  constructor(
    private readonly file: string | undefined,
    text: string,
    overrides: readonly string[] = [],
    private readonly target: (names: string[]) => string[] = (names) => names,
  ) {
    this.document = parseDocument(text, { lineCounter: this.lines, prettyErrors: false, logLevel: 'error' });
    const all = [...this.document.errors, ...this.document.warnings];
    const exhausted = all.find(({ code }) => code === 'RESOURCE_EXHAUSTION'); // the others follow from it
    const faults = exhausted ? [exhausted] : all;
    for (const fault of faults) this.problems.push({ ...this.position(fault.pos[0]), text: describe(fault, text) });
    if (faults.length === 0) this.read(text);
    this.valid = this.problems.length === 0;
    if (!this.valid) return;
    for (const override of overrides) this.override(override);
  }

  private read(text: string): void {
    try {
      this.value = this.document.toJS() ?? {};
    } catch (error) {
      const name = /Unresolved alias.*: (\S+)$/.exec((error as Error).message)?.[1];
      const offset = name === undefined ? 0 : Math.max(0, text.indexOf(`*${name}`));
      const shown = short(name ?? '');
      const fault =
        name === undefined ? TOO_MUCH : `not valid YAML: an alias follows its anchor; received *${shown}; write &${shown} before it`;
      this.problems.push({ ...this.position(offset), text: fault });
    }
  }

  at(path: Path): unknown {
    return valueAt(this.value, path);
  }

  place(path: Path, key = false): Omit<Problem, 'text'> {
    for (let length = path.length; length > 0; length--) {
      const override = this.overridden.get(dotted(path.slice(0, length)));
      if (override !== undefined) return { order: Number.MAX_SAFE_INTEGER, place: `command line: ${override}` };
    }
    const below = [...this.overridden].find(([other]) => other.startsWith(`${dotted(path)}.`))?.[1];
    if (below !== undefined && !this.document.hasIn(path)) return { order: Number.MAX_SAFE_INTEGER, place: `command line: ${below}` };
    let node = this.document.contents as Node | null;
    let offset = node?.range?.[0] ?? 0;
    for (const [depth, part] of path.entries()) {
      const last = depth === path.length - 1;
      if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
        if (!pair) break;
        const name = (pair.key as Node).range?.[0] ?? offset;
        node = pair.value as Node | null;
        const empty = !node?.range || (isScalar(node) && node.range[0] === node.range[1]);
        offset = (last && key) || empty || (!last && isCollection(node)) ? name : node!.range![0];
      } else if (isCollection(node)) {
        node = node.items[part as number] as Node;
        offset = node?.range?.[0] ?? offset;
      } else break;
    }
    return this.position(offset);
  }

  private position(offset: number): Omit<Problem, 'text'> {
    const { line, col } = this.lines.linePos(offset);
    const place = this.file === undefined ? 'command line' : `${this.file}:${Math.max(1, line)}:${Math.max(1, col)}`;
    return { order: offset, place };
  }

  /** Lays one `key=value` over the file. The value is YAML; `null` takes the key back to its default. */
  private override(text: string): void {
    const fail = (problem: string) => this.problems.push({ order: Number.MAX_SAFE_INTEGER, place: `command line: ${text}`, text: problem });
    const split = text.indexOf('=');
    const path = text.slice(0, Math.max(0, split)).split('.');
    if (path.some((part) => !/^[\w/-]+$/.test(part))) {
      fail(`an override must be key=value; received ${JSON.stringify(text)}; for example learning_rate=3e-4 or model.hidden_size=256`);
      return;
    }
    const parsed = parseDocument(text.slice(split + 1), { prettyErrors: false, logLevel: 'error' });
    if (parsed.errors.length > 0) {
      const received = JSON.stringify(text.slice(split + 1));
      fail(`${path.join('.')}: the value must be YAML; received ${received}; put it in quotes: '${path.join('.')}="…"'`);
      return;
    }
    const target = this.target(path);
    this.overridden.set(target.join('.'), text);
    this.value = withValue(this.value, target, parsed.toJS(), target.length > path.length);
  }
}

/** The part of `source` at `path`, seen as a whole; `value` in its stead where it has been worked on. */
export function within(source: Placed, path: Path, value = source.at(path)): Placed {
  return { value, at: (below) => valueAt(value, below), place: (below, key) => source.place([...path, ...below], key) };
}

/** `over` laid over `base`, section by section; null takes away what the base has. */
export function overlaid(base: Placed, over: Placed): Placed {
  const value = merged(base.value, over.value);
  const place = (path: Path, key?: boolean) => (over.at(path) === undefined ? base : over).place(path, key);
  return { value, at: (path) => valueAt(value, path), place };
}

function merged(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isSection(over)) return over;
  if (!isSection(base)) return merged({}, over);
  const names = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries([...names].map((name) => [name, merged(base[name], over[name])]).filter(([, value]) => value !== null));
}

/** The part of a value at `path`, or nothing. */
export function valueAt(value: unknown, path: Path): unknown {
  let found = value;
  for (const part of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, part)) return undefined;
    found = (found as Record<PropertyKey, unknown>)[part];
  }
  return found;
}

/**
 * `target` with `value` at `path`. Own properties only, so that no key reaches a prototype.
 * @param keepNull whether null stays, for a file beneath that has the key; otherwise it takes away what stands there.
 */
function withValue(target: unknown, path: readonly string[], value: unknown, keepNull: boolean): unknown {
  if (path.length === 0) return value;
  const [name, ...rest] = path;
  const entries = new Map(typeof target === 'object' && target !== null && !Array.isArray(target) ? Object.entries(target) : []);
  const below = withValue(entries.get(name), rest, value, keepNull);
  if (below === null && !keepNull) entries.delete(name);
  else entries.set(name, below);
  return Object.fromEntries(entries);
}

/** `model.layers[2]` */
export function dotted(path: Path): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : (i ? '.' : '') + String(part))).join('');
}

/** The beginning of what is too long to be shown. */
export function short(word: string): string {
  return word.length > 60 ? `${word.slice(0, 57)}...` : word;
}

function describe(fault: YAMLError, text: string): string {
  const word = text.slice(fault.pos[0], fault.pos[0] + 61).split(/[\s:]/, 1)[0];
  const here = short(word);
  switch (fault.code) {
    case 'DUPLICATE_KEY':
      return `${here}: a key may be given once; received it again; keep one of the two`;
    case 'TAB_AS_INDENT':
      return 'YAML is indented with spaces; received a tab; replace it by spaces';
    case 'MULTIPLE_DOCS':
      return 'a configuration is one YAML document; received a second one; remove the line ---';
    case 'RESOURCE_EXHAUSTION':
      return TOO_MUCH;
    default:
      return `not valid YAML: ${fault.message.replace(/\s+/g, ' ').replace(/(\S{40})\S+/g, '$1...')}; received ${here ? JSON.stringify(here) : 'the end of it'}; correct it`;
  }
}
