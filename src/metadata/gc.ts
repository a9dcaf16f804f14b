import type { Collector, Leases, Resource } from './metadata.ts';

export interface GarbageCollection {
  readonly collectors: readonly Collector[];
  readonly leases: Leases;
  readonly signal?: AbortSignal;
}

/**
 * Marks from the roots of all collectors and the leases, then lets each collector sweep the rest.
 * Returns the bytes freed. Started by whoever took a reference away; never on a timer.
 *
 * Safe beside work in flight: before a resource goes, roots and leases are read again, and its collector asks
 * while nobody can make that resource anew. So whoever makes one holds a lease on it first and ends the lease
 * after the row that refers to it.
 */
export async function collectGarbage(options: GarbageCollection): Promise<number> {
  const marked = new Set<string>();
  const kept = (resource: Resource): boolean => {
    const key = keyOf(resource);
    if (marked.has(key)) return true;
    mark(options, marked);
    return marked.has(key);
  };
  mark(options, marked);
  let freed = 0;
  for (const collector of options.collectors) {
    options.signal?.throwIfAborted();
    freed += (await collector.sweep?.(kept)) ?? 0;
  }
  return freed;
}

/** Adds all that is held now. Marks are only added: keeping too much for one run is no harm. */
function mark({ collectors, leases }: GarbageCollection, marked: Set<string>): void {
  for (const held of leases.held()) follow(collectors, marked, held);
  for (const collector of collectors) {
    for (const root of collector.roots?.() ?? []) follow(collectors, marked, root);
  }
}

function follow(collectors: readonly Collector[], marked: Set<string>, start: Resource): void {
  const pending = [start];
  for (let resource = pending.pop(); resource !== undefined; resource = pending.pop()) {
    const key = keyOf(resource);
    if (marked.has(key)) continue;
    marked.add(key);
    for (const collector of collectors) pending.push(...(collector.references?.(resource) ?? []));
  }
}

function keyOf({ kind, id }: Resource): string {
  return `${kind} ${id}`;
}
