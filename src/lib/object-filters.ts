import type { Filters } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { parseDuration } from './duration.ts';
import { isFalse, isTrue } from './go-values.ts';

/** Filters that every kind of object has, with one meaning everywhere. */

type Labels = Readonly<Record<string, string>>;

/** Whether there is a label `key`, or with `key=value` one of that value. */
export function hasLabel(labels: Labels, wanted: string): boolean {
  const at = wanted.indexOf('=');
  if (at < 0) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, at);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(at + 1);
}

/** Whether a value is the text, or holds the regular expression that the text is. */
export function matchesPattern(value: string, text: string): boolean {
  if (value === text) return true;
  try {
    return new RegExp(text).test(value);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Whether one of the values under a key holds; without values everything passes. */
export function passesAny(filters: Filters, key: string, holds: (value: string) => boolean): boolean {
  const values = filters.get(key) ?? [];
  return values.length === 0 || values.some(holds);
}

/** Whether labels pass `label` (all of them) and `label!` (none of them). */
export function passesLabels(labels: Labels, filters: Filters): boolean {
  return (
    (filters.get('label') ?? []).every((label) => hasLabel(labels, label)) &&
    !(filters.get('label!') ?? []).some((label) => hasLabel(labels, label))
  );
}

/** Whether a time lies before every `until`. Throws `invalidArgument` for what is no time. */
export function passesUntil(timeMs: number, filters: Filters, nowMs = Date.now()): boolean {
  return (filters.get('until') ?? []).every((until) => timeMs < parseUntil(until, nowMs));
}

/** A Go duration before now, Unix seconds, or a date of RFC 3339 (the time or its parts may be missing), in ms. */
export function parseUntil(text: string, nowMs = Date.now(), key = 'until'): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const time = /^\d{4}-\d{2}-\d{2}(?:T|$)/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  try {
    return nowMs - parseDuration(text) / 1e6;
  } catch (error) {
    throw new EngineError('invalidArgument', `invalid filter '${key}=[${text}]'`, { cause: error });
  }
}

/** The boolean under a key; `undefined` when it is not there. Throws `invalidArgument` for another word, or for both. */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters.get(key);
  if (values === undefined || values.length === 0) return undefined;
  const areTrue = values.every(isTrue);
  if (!areTrue && !values.every(isFalse)) {
    throw new EngineError('invalidArgument', `invalid filter '${key}=[${values.join(' ')}]'`);
  }
  return areTrue;
}
