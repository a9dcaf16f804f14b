import type { Filters } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import type { VolumeRow } from './rows.ts';

/** Docker's filters of volumes; unknown keys are the caller's to refuse. Throws `invalidArgument` for a bad value. */
export function matches(row: VolumeRow, filters: Filters, isUsed: boolean): boolean {
  const any = (key: string, test: (value: string) => boolean) => {
    const values = filters.get(key);
    return values === undefined || values.length === 0 || values.some(test);
  };
  return (
    any('name', (value) => row.name.includes(value)) &&
    any('driver', (value) => value === 'local') &&
    any('dangling', (value) => parseBoolean('dangling', value) === !isUsed) &&
    (filters.get('label') ?? []).every((label) => hasLabel(row.labels, label)) &&
    (filters.get('label!') ?? []).every((label) => !hasLabel(row.labels, label))
  );
}

/** The value of prune's `all`. */
export function isTrue(value: string): boolean {
  return parseBoolean('all', value);
}

function parseBoolean(key: string, value: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw new EngineError('invalidArgument', `invalid filter '${key}=[${value}]'`);
}

/** `key` or `key=value`. */
function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=');
  if (at === -1) return wanted in labels;
  return labels[wanted.slice(0, at)] === wanted.slice(at + 1);
}
