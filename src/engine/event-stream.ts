import type { EventMessage, Filters } from '../api/index.ts';
import { raceAbort } from '../lib/keyed-lock.ts';
import { hasLabel, passesAny } from '../lib/object-filters.ts';
import { Timeout } from '../lib/timeout.ts';
import type { Journal, JournalQuery, JournalRow } from '../metadata/index.ts';
import type { EventQuery } from './engine.ts';

/** Rows held in memory, read from the journal or kept for a slow reader; what is past them is read later. */
const pendingLimit = 1_000;

/** The journal as `/events` shows it: stored rows if a time is given, then live ones, none twice and none lost. */
export async function* eventStream(
  journal: Journal,
  query: EventQuery,
  signal: AbortSignal,
): AsyncGenerator<EventMessage> {
  const { sinceNano, untilNano, filters } = query;
  let pending: JournalRow[] = [];
  /** The journal has rows that are not among these. */
  let behind = false;
  let wake = Promise.withResolvers<void>();
  using _subscription = journal.subscribe((row) => {
    if (pending.length < pendingLimit) pending.push(row);
    else behind = true;
    wake.resolve();
  });
  const read = (rows: JournalQuery) => {
    pending = [...journal.read({ ...rows, limit: pendingLimit })];
    behind = pending.length === pendingLimit;
  };
  let cursor = 0;
  if (sinceNano !== undefined || untilNano !== undefined) read(boundsOf(query));

  using timeout = untilNano === undefined ? undefined : new Timeout(msUntil(untilNano));
  for (;;) {
    const rows = pending;
    pending = [];
    for (const row of rows) {
      if (row.cursor <= cursor) continue;
      if (untilNano !== undefined && row.timeNano > untilNano) return;
      cursor = row.cursor;
      if (matches(filters, row)) yield toEventMessage(row);
    }
    if (behind) read({ afterCursor: cursor, ...(untilNano === undefined ? {} : { untilNano }) });
    if (pending.length > 0) continue;
    if (timeout?.signal.aborted === true || signal.aborted) return;
    await raceAbort(
      Promise.race([wake.promise, ...(timeout === undefined ? [] : [aborted(timeout.signal)])]),
      signal,
    );
    wake = Promise.withResolvers<void>();
  }
}

function boundsOf({ sinceNano, untilNano }: EventQuery) {
  return {
    ...(sinceNano === undefined ? {} : { sinceNano }),
    ...(untilNano === undefined ? {} : { untilNano }),
  };
}

function msUntil(nano: bigint): number {
  return Number(nano / 1_000_000n) - Date.now();
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener(
    'abort',
    () => {
      resolve();
    },
    { once: true },
  );
  await promise;
}

export function toEventMessage(row: JournalRow): EventMessage {
  return {
    Type: row.type,
    Action: row.action,
    Actor: { ID: row.id, Attributes: row.attributes },
    scope: 'local',
    time: Number(row.timeNano / 1_000_000_000n),
    timeNano: Number(row.timeNano),
  };
}

/** Filters that name an object match its id or name by prefix. */
const objectFilters = [
  'container',
  'volume',
  'network',
  'plugin',
  'service',
  'node',
  'secret',
  'config',
  'daemon',
];

/** All keys must hold; of a key's values any. Labels must all hold. */
function matches(filters: Filters, row: JournalRow): boolean {
  if (filters.size === 0) return true;
  const any = (key: string, holds: (value: string) => boolean) => passesAny(filters, key, holds);
  const { attributes } = row;
  return (
    any('type', (value) => value === row.type) &&
    any('scope', (value) => value === 'local') &&
    any('event', (value) => value === row.action || row.action.startsWith(`${value}:`)) &&
    any('image', (value) => imageNames(row).includes(value)) &&
    objectFilters.every((key) =>
      any(key, (value) => row.id.startsWith(value) || (attributes['name']?.startsWith(value) ?? false)),
    ) &&
    (filters.get('label') ?? []).every((label) => hasLabel(attributes, label))
  );
}

function imageNames(row: JournalRow): readonly string[] {
  const name = row.attributes[row.type === 'image' ? 'name' : 'image'] ?? '';
  return [row.id, name, name.replace(/:[^:/]*$/, '')];
}
