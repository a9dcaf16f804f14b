import { resolveInRoot } from '../lib/root-path.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { ContainerMount } from './record.ts';

export interface FillRequest {
  readonly containerId: string;
  /** Those that are new to the container, which does not run. */
  readonly mounts: readonly ContainerMount[];
  /** Its anonymous volumes go with it. */
  readonly autoRemove: boolean;
}

export interface FillDeps {
  readonly snapshots: Pick<Snapshotter, 'mount' | 'unmount'>;
  readonly volumes: Pick<Volumes, 'fill'>;
}

/**
 * Copies into each empty volume what the image has where it will be mounted, as Docker does when a container is made
 * and at no other time. [moby daemon/create_unix.go populateVolumes]
 */
export async function fillVolumes(
  { containerId, mounts, autoRemove }: FillRequest,
  { snapshots, volumes }: FillDeps,
): Promise<void> {
  const fillable = mounts.filter(({ Type, noCopy }) => Type === 'volume' && noCopy !== true);
  if (fillable.length === 0) return;
  const rootfs = await snapshots.mount(containerId);
  try {
    for (const { Name = '', Destination, subpath, anonymous } of fillable) {
      await volumes.fill(Name, resolveInRoot(rootfs, Destination), {
        ...(subpath === undefined ? {} : { subpath }),
        temporary: anonymous === true && autoRemove,
      });
    }
  } finally {
    await snapshots.unmount(containerId);
  }
}
