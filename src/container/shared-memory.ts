import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostConfig } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { MountFlag, mount, unmount } from '../lib/native.ts';
import type { ContainerRecord } from './record.ts';
import { joinedContainer } from './spec/index.ts';
import type { ContainerStore } from './store.ts';

/** /dev/shm of a container that shares it (`--ipc shareable`), in its directory: no bind mount reaches into another's mounts. */
export function shmDirectory(containerDirectory: string): string {
  return join(containerDirectory, 'shm');
}

/** Mounts an empty one, in the place of one that a cut-off start left. Returns its path. */
export async function mountShm(containerDirectory: string, { ShmSize }: HostConfig): Promise<string> {
  const target = shmDirectory(containerDirectory);
  await mkdir(target, { recursive: true, mode: 0o700 });
  unmount(target);
  mount({
    source: 'shm',
    target,
    type: 'tmpfs',
    flags: MountFlag.noSuid | MountFlag.noDev | MountFlag.noExec,
    data: `mode=1777,size=${ShmSize}`,
  });
  return target;
}

/** Containers that joined it keep it. One that is not mounted is no error. */
export function unmountShm(containerDirectory: string): void {
  unmount(shmDirectory(containerDirectory));
}

/**
 * The directory of the host that is the container's /dev/shm; `undefined` when it makes its own, or has none. A
 * container that shares nothing cannot be joined: `conflict` with Docker's text.
 */
export function sharedShm(
  { id, hostConfig }: ContainerRecord,
  deps: { readonly store: Pick<ContainerStore, 'resolve'>; readonly directory: string },
): string | undefined {
  const { IpcMode: mode } = hostConfig;
  if (mode === 'host') return '/dev/shm';
  if (mode === 'shareable') return shmDirectory(join(deps.directory, id));
  const donor = joinedContainer(mode);
  if (donor === undefined) return undefined;
  const { record } = deps.store.resolve(donor);
  const shared = sharedShm(record, deps);
  if (shared !== undefined) return shared;
  throw new EngineError(
    'conflict',
    `can't join IPC of container ${record.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
  );
}
