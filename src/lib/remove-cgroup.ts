import { rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno } from '../errors/index.ts';
import { directoriesIn, exists, ifThere, readOptional } from './missing-files.ts';
import { sendSignal } from './send-signal.ts';

const mountPoint = '/sys/fs/cgroup';
const attempts = 100;

/** Where a cgroup of this path can be: in the unified hierarchy, and in every controller's. */
export async function cgroupPlaces(path: string): Promise<string[]> {
  const hierarchies = (await directoriesIn(mountPoint)).map((name) => join(mountPoint, name));
  return [mountPoint, ...hierarchies].map((root) => join(root, path));
}

/**
 * Removes a cgroup of one hierarchy with those in it. A process there, which a start that was cut off left, is killed;
 * what then still does not go stays.
 */
export async function removeCgroup(path: string): Promise<void> {
  // A cgroup's files go with it; only nested cgroups and processes stand in the way.
  for (const name of await directoriesIn(path)) await removeCgroup(join(path, name));
  for (let attempt = 0; attempt < attempts && !(await removeEmptyCgroup(path)); attempt += 1) {
    await killAllIn(path);
    await sleep(20);
  }
}

/** False if something is in it. */
export async function removeEmptyCgroup(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return true;
    if (hasErrno(error, 'EBUSY')) return false;
    throw error;
  }
}

async function killAllIn(path: string): Promise<void> {
  const text = await readOptional(join(path, 'cgroup.procs'));
  for (const pid of (text ?? '').split('\n').filter(Boolean).map(Number)) {
    sendSignal(pid, 'SIGKILL');
  }
  // cgroup v1 delivers no signal to a frozen process.
  const freezer = join(path, 'freezer.state');
  if (await exists(freezer)) await ifThere(writeFile(freezer, 'THAWED'));
}
