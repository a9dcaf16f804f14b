import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EngineError, hasErrno, messageOf } from '../../errors/index.ts';
import { unmount } from '../../lib/native.ts';
import type { Layout } from './layout.ts';
import { mountOverlay } from './mount-overlay.ts';

/** Mounts an overlay as containers have it, and takes it away. Throws `unavailable`, with what to do, where that fails. */
export function probeOverlay(layout: Layout): void {
  const target = join(layout.views, 'probe');
  const [upper, work] = [join(target, 'upper'), join(target, 'work')];
  try {
    for (const path of [target, upper, work]) mkdirSync(path, { mode: 0o700 });
    // Read-only: the end of a writable one syncs the whole file system below it.
    mountOverlay(layout, { lowers: [], upper: { upper, work }, target, readOnly: true });
    unmount(target);
  } catch (error) {
    throw new EngineError('unavailable', `Cannot mount an overlay: ${reasonOf(error, layout)}`, {
      cause: error,
    });
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}

function reasonOf(error: unknown, layout: Layout): string {
  if (hasErrno(error, 'ENODEV'))
    return 'this kernel has no overlayfs: load the module "overlay", which the package "linux-image-amd64" brings';
  if (hasErrno(error, 'EINVAL'))
    return `the file system of ${dirname(layout.root)} cannot hold its writable layers: choose a --root on another, such as ext4`;
  return messageOf(error);
}
