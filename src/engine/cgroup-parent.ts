import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../errors/index.ts';

const mountPoint = '/sys/fs/cgroup';

/**
 * Removes the cgroups of an engine's containers but those of `running` (ids) from the unified hierarchy and from
 * every controller's, and their parent with the last. What a process is still in stays.
 */
export async function removeCgroups(parent: string, running: ReadonlySet<string>): Promise<void> {
  const hierarchies = (await readdir(mountPoint, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(mountPoint, name));
  await Promise.all(
    [mountPoint, ...hierarchies].map(async (root) => removeTree(join(root, parent), running)),
  );
}

/** A cgroup's files go with it; only nested cgroups stand in the way. */
async function removeTree(path: string, keep: ReadonlySet<string>): Promise<void> {
  try {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (entry.isDirectory() && !keep.has(entry.name)) await removeTree(join(path, entry.name), keep);
    }
    if (keep.size === 0) await rmdir(path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'EBUSY')) throw error;
  }
}
