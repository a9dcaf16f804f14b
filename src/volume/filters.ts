import type { Filters } from '../api/index.ts';
import { booleanFilter, matchesPattern, passesLabels } from '../lib/object-filters.ts';
import type { VolumeRow } from './rows.ts';

/** Docker's filters of volumes; unknown keys are the caller's to refuse. Throws `invalidArgument` for a bad value. */
export function matches(row: VolumeRow, filters: Filters, isUsed: boolean): boolean {
  const dangling = booleanFilter(filters, 'dangling');
  const any = (key: string, test: (value: string) => boolean) => {
    const values = filters.get(key);
    return values === undefined || values.length === 0 || values.some(test);
  };
  return (
    any('name', (value) => matchesPattern(row.name, value)) &&
    any('driver', (value) => value === 'local') &&
    (dangling === undefined || dangling === !isUsed) &&
    passesLabels(row.labels, filters)
  );
}
