import { posix } from 'node:path';
import type { Filters } from '../api/index.ts';
import { passesLabels, passesUntil } from '../lib/object-filters.ts';
import { familiarName, familiarString, type Reference } from '../oci/index.ts';
import type { ImageRow } from './image-rows.ts';

/** Whether an image passes `label` (all of them), `label!` (none of them) and `until` (made before it). */
export function passes(image: ImageRow, filters: Filters, nowMs = Date.now()): boolean {
  const labels = image.config.config?.Labels ?? {};
  return passesLabels(labels, filters) && passesUntil(image.createdAtMs, filters, nowMs);
}

/** Whether a reference matches a pattern as `docker images REPOSITORY` and `--filter reference=` mean it. */
export function matchesReference(pattern: string, reference: Reference): boolean {
  if (pattern === '') return false;
  return (
    posix.matchesGlob(familiarString(reference), pattern) ||
    posix.matchesGlob(familiarName(reference), pattern)
  );
}
