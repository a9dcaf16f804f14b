import { EngineError } from '../../../errors/index.ts';

type Reader<T> = (value: unknown, path: string) => T;

export type Fields = Readonly<Record<string, unknown>>;

/** An error in the configuration: which field, and what it must be. */
export function wrong(path: string, expected: string): EngineError {
  return new EngineError('invalidArgument', `invalid configuration: ${path} must be ${expected}`);
}

/** The fields of an object; one that is not `known` is an error, for it would silently do nothing. */
export function objectOf(value: unknown, path: string, known: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'an object');
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const place = path === 'the file' ? name : `${path}.${name}`;
    throw new EngineError(
      'invalidArgument',
      `invalid configuration: ${place} is unknown; known are ${known.join(', ')}`,
    );
  }
  return value as Fields;
}

export const string: Reader<string> = (value, path) => {
  if (typeof value !== 'string' || value === '') throw wrong(path, 'a text');
  return value;
};

export const boolean: Reader<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw wrong(path, 'true or false');
  return value;
};

export const count: Reader<number> = (value, path) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw wrong(path, 'a whole number');
  }
  return value;
};

export function oneOf<const T extends string>(...words: readonly T[]): Reader<T> {
  return (value, path) => {
    const word = words.find((one) => one === value);
    if (word === undefined) throw wrong(path, `one of ${words.join(', ')}`);
    return word;
  };
}

export function listOf<T>(read: Reader<T>): Reader<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrong(path, 'a list');
    return value.map((one, at) => read(one, `${path}[${at}]`));
  };
}

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  k: 1 << 10,
  m: 1 << 20,
  g: 1 << 30,
  t: 2 ** 40,
};

/** A number of bytes, or a text such as `500M` or `20GiB` (binary units). */
export const bytes: Reader<number> = (value, path) => {
  if (typeof value === 'number') return count(value, path);
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(String(value));
  const unit = byteUnits[match?.[2]?.toLowerCase() ?? '?'];
  if (match === null || unit === undefined) throw wrong(path, 'a size such as 500M or 20GiB');
  return Math.floor(Number(match[1]) * unit);
};

const timeUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds from a text such as `90s`, `12h` or `30d`. */
export const duration: Reader<number> = (value, path) => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(value));
  const unit = timeUnits[match?.[2] ?? '?'];
  if (match === null || unit === undefined) throw wrong(path, 'a time such as 90s, 12h or 30d');
  return Number(match[1]) * unit;
};

/** Reads the field `name` if it is there. */
export function optional<T>(fields: Fields, path: string, name: string, read: Reader<T>): T | undefined {
  const value = fields[name];
  return value === undefined || value === null
    ? undefined
    : read(value, path === '' ? name : `${path}.${name}`);
}

export function required<T>(fields: Fields, path: string, name: string, read: Reader<T>): T {
  const value = optional(fields, path, name, read);
  if (value === undefined) throw wrong(path === '' ? name : `${path}.${name}`, 'given');
  return value;
}
