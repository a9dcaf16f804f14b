import { join } from 'node:path';
import { directoriesIn } from '../lib/missing-files.ts';
import { cgroupPlaces, removeCgroup, removeEmptyCgroup } from '../lib/remove-cgroup.ts';

/** Removes the cgroups of an engine's containers but those of `running` (ids), and their parent with the last. */
export async function removeCgroups(parent: string, running: ReadonlySet<string>): Promise<void> {
  await Promise.all((await cgroupPlaces(parent)).map(async (place) => removeAll(place, running)));
}

async function removeAll(parent: string, running: ReadonlySet<string>): Promise<void> {
  for (const name of await directoriesIn(parent))
    if (!running.has(name)) await removeCgroup(join(parent, name));
  if (running.size === 0) await removeEmptyCgroup(parent);
}
