import { EngineError } from '../errors/index.ts';

/** Docker's filters, `{"key":["v"]}` or `{"key":{"v":true}}`, as key to values. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/** Parses the query parameter. Throws `invalidArgument` for bad JSON and for a key not in `accepted`. */
export function parseFilters(text: string | undefined, accepted: readonly string[]): Filters {
  const filters = new Map<string, string[]>();
  if (text === undefined || text === '') return filters;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new EngineError('invalidArgument', 'invalid filter', { cause: error });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new EngineError('invalidArgument', 'invalid filter');
  }
  for (const [key, value] of Object.entries(parsed)) {
    if (!accepted.includes(key)) throw new EngineError('invalidArgument', `invalid filter '${key}'`);
    filters.set(key, valuesOf(value));
  }
  return filters;
}

function valuesOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, on]) => (on === true ? [name] : []));
  }
  throw new EngineError('invalidArgument', 'invalid filter');
}
