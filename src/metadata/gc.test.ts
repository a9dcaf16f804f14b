import assert from 'node:assert/strict';
import test from 'node:test';
import { digestOf } from '../oci/index.ts';
import { type Collector, collectGarbage, openMetadata, type Resource } from './index.ts';

const blob = (name: string): Resource => ({ kind: 'blob', id: digestOf(name) });

/** A store of blobs named in `has`, each of one byte, that remembers what it swept. */
function store(has: readonly string[], extra: Collector = {}): Collector & { readonly swept: string[] } {
  const swept: string[] = [];
  return {
    ...extra,
    swept,
    sweep: async (kept) => {
      for (const name of has) if (!kept(blob(name))) swept.push(name);
      return swept.length;
    },
  };
}

test('collectGarbage() keeps roots and what they refer to, through every collector', async () => {
  await using metadata = openMetadata(':memory:');
  const blobs = store(['root', 'child', 'grandchild', 'loop', 'lost']);
  const graph = new Map([
    [blob('root').id, ['child']],
    [blob('child').id, ['grandchild', 'loop']],
    [blob('loop').id, ['root']],
  ]);
  const images: Collector = {
    roots: () => [blob('root')],
    references: ({ id }) => (graph.get(id) ?? []).map(blob),
  };
  const freed = await collectGarbage({ collectors: [images, blobs], leases: metadata.leases });
  assert.deepEqual(blobs.swept, ['lost']);
  assert.equal(freed, 1);
});

test('collectGarbage() keeps what a lease holds and what that needs', async () => {
  await using metadata = openMetadata(':memory:');
  using lease = metadata.leases.acquire();
  lease.add(blob('held'));
  const blobs = store(['held', 'needed', 'lost'], {
    references: ({ id }) => (id === blob('held').id ? [blob('needed')] : []),
  });
  await collectGarbage({ collectors: [blobs], leases: metadata.leases });
  assert.deepEqual(blobs.swept, ['lost']);
});

test('collectGarbage() keeps what is leased while it sweeps', async () => {
  await using metadata = openMetadata(':memory:');
  const swept: string[] = [];
  let lease: Disposable | undefined;
  const collector: Collector = {
    references: ({ id }) => (id === blob('new').id ? [blob('new layer')] : []),
    sweep: async (kept) => {
      const late = metadata.leases.acquire();
      late.add(blob('new'));
      lease = late;
      for (const name of ['new', 'new layer', 'lost']) if (!kept(blob(name))) swept.push(name);
      return 0;
    },
  };
  await collectGarbage({ collectors: [collector], leases: metadata.leases });
  assert.deepEqual(swept, ['lost']);
  lease?.[Symbol.dispose]();
});
