import { existsSync, readdirSync, readlinkSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { readMounts } from '../../lib/mount-info.ts';
import { unmount } from '../../lib/native.ts';
import type { Metadata } from '../../metadata/index.ts';
import type { ChainId } from '../../oci/index.ts';
import { currentBoot } from './durability.ts';
import { initName } from './init-layer.ts';
import { type Layout, reserved } from './layout.ts';
import type { SnapshotTable } from './table.ts';
import type { Trash } from './trash.ts';

/**
 * Drops committed trees that a power loss may have torn, top first. Returns those that a container or a whole tree
 * stands on, names to directories: they stay until they are unpacked again.
 */
export function dropTorn(metadata: Metadata, table: SnapshotTable): Map<string, string> {
  const boot = currentBoot();
  metadata.transact(() => {
    for (let dropped = true; dropped; ) {
      const torn = table
        .unsynced()
        .filter((row) => row.unsynced_boot !== boot && table.childCount(row.name) === 0);
      for (const { name } of torn) table.delete(name);
      dropped = torn.length > 0;
    }
  });
  const left = table.unsynced().filter((row) => row.unsynced_boot !== boot);
  return new Map(left.map(({ name, directory }) => [name, directory]));
}

/**
 * Brings the directories in line with the rows after any kind of end of an earlier process: trees without a row go,
 * an interrupted commit is undone. Returns the directories whose `merged` is still mounted, for running containers.
 */
export function recover(layout: Layout, table: SnapshotTable, trash: Trash): Set<string> {
  const rows = new Map(table.all().map((row) => [row.directory, row]));
  const mounted = new Set<string>();
  for (const { path } of readMounts()) {
    if (!path.startsWith(`${layout.root}/`)) continue;
    const [name = '', part = ''] = path.slice(layout.root.length + 1).split('/');
    if (part === 'merged' && rows.has(name)) mounted.add(name);
    else unmount(path);
  }
  const known = new Set<string>(reserved);
  for (const name of readdirSync(layout.root)) {
    if (!known.has(name) && !rows.has(name)) trash.discard(layout.directory(name));
  }
  for (const name of readdirSync(layout.views)) rmSync(join(layout.views, name), { recursive: true });
  for (const [directory, row] of rows) {
    // Commit renames `upper` to `fs` before its row says so.
    const renamed = row.kind === 'active' && existsSync(layout.fs(directory));
    if (renamed && !existsSync(layout.upper(directory))) {
      renameSync(layout.fs(directory), layout.upper(directory));
    }
    if (row.kind === 'committed') layout.link(directory);
  }
  for (const name of readdirSync(layout.links)) {
    const link = join(layout.links, name);
    const committed = rows.get(name)?.kind === 'committed';
    if (!committed || readlinkSync(link) !== `../${name}/fs`) unlinkSync(link);
  }
  // An init layer is never synced: one of an earlier boot may be torn, and is made anew when it is wanted.
  const boot = currentBoot();
  const chains = new Set([...rows.values()].map((row) => initName(boot, row.name as ChainId)));
  for (const name of readdirSync(layout.init)) {
    if (name !== initName(boot, undefined) && !chains.has(name)) trash.discard(join(layout.init, name));
  }
  return mounted;
}
