import { templateError } from './lexer.ts';
import { Struct } from './struct.ts';
import { elementOf } from './typed.ts';
import { isTruthy, plain, show, toJson } from './values.ts';

export type TemplateFunction = (...args: readonly unknown[]) => unknown;

function number(given: unknown): number {
  const value = plain(given);
  if (typeof value === 'number') return value;
  throw templateError(`expected an integer; found ${show(value)}`);
}

function compare(first: unknown, second: unknown): number {
  const [a, b] = [plain(first), plain(second)];
  if (typeof a !== typeof b || (typeof a !== 'number' && typeof a !== 'string')) {
    throw templateError('incompatible types for comparison');
  }
  return a < (b as typeof a) ? -1 : a > (b as typeof a) ? 1 : 0;
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Struct) throw templateError('error calling len: len of type struct');
  if (typeof value === 'object' && value !== null) return Object.keys(value).length;
  throw templateError(`len of type ${value === null || value === undefined ? 'nil' : typeof value}`);
}

function index(value: unknown, ...keys: readonly unknown[]): unknown {
  let current = value;
  for (const key of keys) {
    if (Array.isArray(current)) {
      const at = number(key);
      if (at < 0 || at >= current.length)
        throw templateError(`error calling index: index out of range: ${at}`);
      current = current[at];
    } else if (current instanceof Struct) {
      throw templateError(`error calling index: can't index item of type struct`);
    } else if (typeof current === 'object' && current !== null) {
      current = elementOf(current, show(key));
    } else throw templateError('error calling index: index of untyped nil');
  }
  return current;
}

function slice(value: unknown, from: unknown = 0, to?: unknown): unknown {
  if (typeof value !== 'string' && !Array.isArray(value))
    throw templateError('error calling slice: cannot slice');
  const end = to === undefined ? value.length : number(to);
  if (number(from) > end || end > value.length)
    throw templateError('error calling slice: index out of range');
  return value.slice(number(from), end);
}

/** Go's Printf with the verbs templates use: %s %v %q %d %x %t %f %%, flags `-` and `0`, width and precision. */
function printf(format: unknown, ...args: readonly unknown[]): string {
  let next = 0;
  return show(format).replace(
    /%([-+0]*)(\d*)(?:\.(\d+))?([a-zA-Z%])/g,
    (_all, flags: string, width: string, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      if (next >= args.length) return `%!${verb}(MISSING)`;
      const text = verbText(verb, args[next++], precision);
      if (width === '') return text;
      if (flags.includes('-')) return text.padEnd(Number(width));
      return text.padStart(Number(width), flags.includes('0') ? '0' : ' ');
    },
  );
}

function verbText(verb: string, value: unknown, precision: string | undefined): string {
  switch (verb) {
    case 'q':
      return JSON.stringify(show(value));
    case 'x':
      return typeof value === 'number' ? value.toString(16) : Buffer.from(show(value)).toString('hex');
    case 'd':
      return show(plain(value));
    case 'f':
      return number(value).toFixed(precision === undefined ? 6 : Number(precision));
    case 's':
      return precision === undefined ? show(value) : show(value).slice(0, Number(precision));
    default:
      return show(value);
  }
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value === null || value === undefined) return [];
  throw templateError(`expected a list; found ${show(value)}`);
}

function print(args: readonly unknown[]): string {
  return args.reduce<string>((line, arg, at) => {
    const gap = at > 0 && typeof arg !== 'string' && typeof args[at - 1] !== 'string' ? ' ' : '';
    return `${line}${gap}${show(arg)}`;
  }, '');
}

/** `and` and `or` take arguments up to the first that decides; the value is what decides. */
export const decidedBy: Readonly<Record<string, boolean>> = { and: false, or: true };

/** Go's other built-in functions and those Docker adds (json, split, join, title, lower, upper, pad, truncate). */
export const functions: Readonly<Record<string, TemplateFunction>> = {
  not: (value) => !isTruthy(value),
  eq: (first, ...rest) => rest.some((one) => plain(one) === plain(first)),
  ne: (a, b) => plain(a) !== plain(b),
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  len: lengthOf,
  index,
  slice,
  print: (...args) => print(args),
  println: (...args) => `${args.map(show).join(' ')}\n`,
  printf,
  html: (value) => show(value).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`),
  urlquery: (value) => encodeURIComponent(show(value)).replaceAll('%20', '+'),
  json: (value) => toJson(value),
  split: (value, separator) => show(value).split(show(separator)),
  join: (value, separator) => listOf(value).map(show).join(show(separator)),
  title: (value) =>
    show(value).replace(/(^|\s)(\p{L})/gu, (_all, gap: string, one: string) => gap + one.toUpperCase()),
  lower: (value) => show(value).toLowerCase(),
  upper: (value) => show(value).toUpperCase(),
  pad: (value, before, after) =>
    show(value) === '' ? '' : ' '.repeat(number(before)) + show(value) + ' '.repeat(number(after)),
  truncate: (value, size) => show(value).slice(0, number(size)),
};
