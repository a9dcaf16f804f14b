import { rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno } from '../errors/index.ts';
import { directoriesIn, exists, ifThere, readOptional } from '../lib/missing-files.ts';
import { sendSignal } from '../lib/send-signal.ts';

const mountPoint = '/sys/fs/cgroup';
const attempts = 100;

/**
 * Removes the cgroups of an engine's containers but those of `running` (ids) from the unified hierarchy and from
 * every controller's, and their parent with the last. A process in one of them, which a start that was cut off left,
 * is killed; what then still does not go stays.
 */
export async function removeCgroups(parent: string, running: ReadonlySet<string>): Promise<void> {
  const hierarchies = (await directoriesIn(mountPoint)).map((name) => join(mountPoint, name));
  await Promise.all([mountPoint, ...hierarchies].map(async (root) => removeAll(join(root, parent), running)));
}

async function removeAll(parent: string, running: ReadonlySet<string>): Promise<void> {
  for (const name of await directoriesIn(parent))
    if (!running.has(name)) await removeTree(join(parent, name));
  if (running.size === 0) await removed(parent);
}

/** A cgroup's files go with it; only nested cgroups and processes stand in the way. */
async function removeTree(path: string): Promise<void> {
  for (const name of await directoriesIn(path)) await removeTree(join(path, name));
  for (let attempt = 0; attempt < attempts && !(await removed(path)); attempt += 1) {
    await killAllIn(path);
    await sleep(20);
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

/** False if something is in it. */
async function removed(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return true;
    if (hasErrno(error, 'EBUSY')) return false;
    throw error;
  }
}
