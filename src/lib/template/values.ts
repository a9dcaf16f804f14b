import { Struct } from './struct.ts';
import { Duration, Time } from './times.ts';

/** Go's idea of an empty value: what `if`, `with`, `and`, `or` and `not` take as false. */
export function isTruthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Duration) return value.valueOf() !== 0;
  if (value instanceof Struct) return true;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** A value as Go's fmt prints it with %v: `[a b]` for lists, `map[k:v]` with sorted keys for maps, `{a b}` for structs. */
export function show(value: unknown): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`;
  if (value instanceof Duration || value instanceof Time) return value.toString();
  if (value instanceof Struct) {
    const said = Object.values(value.fields).filter((one) => typeof one !== 'function');
    return `{${said.map(show).join(' ')}}`;
  }
  if (typeof value === 'object') {
    const parts = sortedEntries(value).map(([key, one]) => `${key}:${show(one)}`);
    return `map[${parts.join(' ')}]`;
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A value for comparisons and numbers: Go tells a duration by its nanoseconds. */
export function plain(value: unknown): unknown {
  return value instanceof Duration ? value.valueOf() : value;
}

export function sortedEntries(value: object): [string, unknown][] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** JSON as Go's encoder writes it, without HTML escapes: compact, map keys in the order they came. */
export function toJson(value: unknown): string {
  return JSON.stringify(value ?? null);
}
