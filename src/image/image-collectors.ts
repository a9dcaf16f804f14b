import { blobCollector } from '../content/index.ts';
import { isCode } from '../errors/index.ts';
import { type Collector, collectGarbage } from '../metadata/index.ts';
import type { ChainId, Digest } from '../oci/index.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { ImageParts } from './image-parts.ts';
import { compressedForms } from './push/compressed-layers.ts';

/**
 * Garbage collection over blobs and snapshots. One runs at a time; a call during one waits for a run of its own,
 * since the running one may have marked before the caller's change.
 */
export function createCollection(parts: Omit<ImageParts, 'collect'>): () => Promise<number> {
  const collectors = [
    imageCollector(parts),
    compressedCollector(compressedForms(parts.metadata)),
    snapshotCollector(parts.snapshots),
    blobCollector(parts.content),
  ];
  const { leases } = parts.metadata;
  let running: Promise<number> | undefined;
  let next: Promise<number> | undefined;
  const start = (): Promise<number> => {
    next = undefined;
    running = collectGarbage({ collectors, leases }).finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return start();
    next ??= running.then(start, start);
    return next;
  };
}

/**
 * An image keeps its manifest, config, layers and snapshots; a name with a digest keeps the manifest or index of that
 * digest, which a registry gave it. One that was removed by force keeps its snapshots while a container has it mounted.
 */
function imageCollector({ rows, users }: Pick<ImageParts, 'rows' | 'users'>): Collector {
  return {
    *roots() {
      for (const { id, manifest, layers, chainIds } of rows.all()) {
        yield { kind: 'blob', id };
        yield { kind: 'blob', id: manifest };
        for (const { digest } of layers) yield { kind: 'blob', id: digest };
        for (const chainId of chainIds) yield { kind: 'snapshot', id: chainId };
      }
      for (const digest of rows.namedDigests()) yield { kind: 'blob', id: digest };
      for (const { mounted } of users()) if (mounted !== undefined) yield { kind: 'snapshot', id: mounted };
    },
  };
}

/** A plain layer keeps what it was compressed to. */
function compressedCollector(compressedOf: (plain: Digest) => Digest | undefined): Collector {
  return {
    *references({ kind, id }) {
      const compressed = kind === 'blob' ? compressedOf(id) : undefined;
      if (compressed !== undefined) yield { kind: 'blob', id: compressed };
    },
  };
}

/** A snapshot keeps its parent. What containers and build steps stand on is a conflict to remove, and stays. */
function snapshotCollector(snapshots: Snapshotter): Collector {
  return {
    *references({ kind, id }) {
      if (kind !== 'snapshot') return;
      const parent = snapshots.stat(id as ChainId)?.parent;
      if (parent !== undefined) yield { kind: 'snapshot', id: parent };
    },
    sweep: async (kept) => {
      let freed = 0;
      let left = snapshots.list().committed.filter(({ name }) => !kept({ kind: 'snapshot', id: name }));
      while (left.length > 0) {
        const parents = new Set(left.map(({ parent }) => parent));
        // Top layers first; a parent goes in a later round, once nothing stands on it.
        const tops = left.filter(({ name }) => !parents.has(name));
        for (const { name, usage } of tops) {
          if (kept({ kind: 'snapshot', id: name })) continue;
          if (await removeUnlessUsed(snapshots, name)) freed += usage.bytes;
        }
        left = left.filter((snapshot) => !tops.includes(snapshot));
      }
      return freed;
    },
  };
}

async function removeUnlessUsed(snapshots: Snapshotter, name: ChainId): Promise<boolean> {
  try {
    await snapshots.remove(name);
    return true;
  } catch (error) {
    if (isCode(error, 'conflict')) return false;
    throw error;
  }
}
