import type { Filters } from '../api/index.ts';
import { booleanFilter, matchesPattern, passesAny, passesLabels } from '../lib/object-filters.ts';
import type { VolumeRow } from './rows.ts';

/** Docker's filters of volumes; unknown keys are the caller's to refuse. Throws `invalidArgument` for a bad value. */
export function matches(row: VolumeRow, filters: Filters, isUsed: boolean): boolean {
  const dangling = booleanFilter(filters, 'dangling');
  return (
    passesAny(filters, 'name', (value) => matchesPattern(row.name, value)) &&
    passesAny(filters, 'driver', (value) => value === 'local') &&
    (dangling === undefined || dangling === !isUsed) &&
    passesLabels(row.labels, filters)
  );
}
