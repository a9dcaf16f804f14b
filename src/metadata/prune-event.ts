import type { EventType } from '../api/index.ts';
import type { JournalEntry } from './metadata.ts';

/** Tells that a prune of a kind has come to its end. */
export function pruneEvent(type: EventType, reclaimedBytes: number): JournalEntry {
  return { type, action: 'prune', id: '', attributes: { reclaimed: String(reclaimedBytes) } };
}
