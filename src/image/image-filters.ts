import { posix } from 'node:path';
import type { Filters } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { familiarName, familiarString, type Reference } from '../oci/index.ts';
import { isDuration, parseDurationNs } from './change-words.ts';
import type { ImageRow } from './image-rows.ts';

/** One of `true`, `false`, `1`, `0` under a key; `undefined` when it is not there. */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters.get(key);
  if (values === undefined || values.length === 0) return undefined;
  const meant = new Set(
    values.map((value) => {
      if (value === 'true' || value === '1') return true;
      if (value === 'false' || value === '0') return false;
      throw new EngineError('invalidArgument', `invalid filter '${key}=[${values.join(' ')}]'`);
    }),
  );
  if (meant.size > 1) {
    throw new EngineError('invalidArgument', `invalid filter '${key}=[${values.join(' ')}]'`);
  }
  return meant.has(true);
}

/** Whether an image passes `label` (all of them), `label!` (none of them) and `until` (made before it). */
export function passes(image: ImageRow, filters: Filters, nowMs = Date.now()): boolean {
  const labels = image.config.config?.Labels ?? {};
  const has = (wanted: string): boolean => {
    const at = wanted.indexOf('=');
    if (at < 0) return Object.hasOwn(labels, wanted);
    const key = wanted.slice(0, at);
    return Object.hasOwn(labels, key) && labels[key] === wanted.slice(at + 1);
  };
  if (!(filters.get('label') ?? []).every(has)) return false;
  if ((filters.get('label!') ?? []).some(has)) return false;
  return (filters.get('until') ?? []).every((until) => image.createdAtMs < parseUntil(until, nowMs));
}

/** Whether a reference matches a pattern as `docker images REPOSITORY` and `--filter reference=` mean it. */
export function matchesReference(pattern: string, reference: Reference): boolean {
  if (pattern === '') return false;
  return (
    posix.matchesGlob(familiarString(reference), pattern) ||
    posix.matchesGlob(familiarName(reference), pattern)
  );
}

/** A Go duration before now, Unix seconds, or a date of RFC 3339 (the time or its parts may be missing). */
export function parseUntil(text: string, nowMs = Date.now()): number {
  if (isDuration(text)) return nowMs - parseDurationNs(text) / 1e6;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const time = /^\d{4}-\d{2}-\d{2}(?:T|$)/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new EngineError('invalidArgument', `invalid filter 'until=[${text}]'`);
  return time;
}
