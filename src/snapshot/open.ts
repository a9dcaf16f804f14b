import { join } from 'node:path';
import type { Metadata } from '../metadata/index.ts';
import { createLayers } from './layer/layers.ts';
import { OverlaySnapshots } from './overlay/overlay-snapshots.ts';
import type { Layers, Snapshotter } from './snapshotter.ts';

export interface OpenSnapshotsOptions {
  /** The engine's root; snapshots lie in ROOT/snapshots, which nothing else may use. */
  readonly root: string;
  readonly metadata: Metadata;
}

/** Layer trees and their archives. Disposing waits for background removals; mounts of active snapshots stay. */
export interface Snapshots extends AsyncDisposable {
  readonly snapshots: Snapshotter;
  readonly layers: Layers;
}

/**
 * Opens the snapshots of an engine, after cleaning up what an earlier process left half done. Active snapshots that
 * are still mounted are found again (`mountedAt`). Rejects with `unavailable` where no overlay can be mounted. The
 * caller holds the root's lock.
 */
export async function openSnapshots(options: OpenSnapshotsOptions): Promise<Snapshots> {
  await using opening = new AsyncDisposableStack();
  const snapshots = opening.use(new OverlaySnapshots(join(options.root, 'snapshots'), options.metadata));
  snapshots.probe();
  opening.move();
  return {
    snapshots,
    layers: createLayers(snapshots),
    [Symbol.asyncDispose]: () => snapshots[Symbol.asyncDispose](),
  };
}
