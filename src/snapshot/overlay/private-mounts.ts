import { randomBytes } from 'node:crypto';
import { mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readMounts } from '../../lib/mount-info.ts';
import { MountFlag, mount, unmount } from '../../lib/native.ts';
import type { Layout } from './layout.ts';
import { mountOverlay, type OverlayMount } from './mount-overlay.ts';

/** A stack of layers mounted read-only until disposed. */
export interface View extends AsyncDisposable {
  readonly root: string;
}

export function openView(layout: Layout, stack: Pick<OverlayMount, 'lowers' | 'init'>): View {
  const root = makeTarget(layout);
  try {
    mountOverlay(layout, { ...stack, target: root });
  } catch (error) {
    rmdirSync(root);
    throw error;
  }
  let open = true;
  const dispose = async () => {
    if (!open) return;
    open = false;
    unmount(root);
    rmdirSync(root);
  };
  return { root, [Symbol.asyncDispose]: dispose };
}

/**
 * Runs `change` in a stack mounted writable at a private place; the work directory is made and removed. What it writes
 * is for the caller to sync.
 */
export async function withMounted(
  layout: Layout,
  stack: Pick<OverlayMount, 'lowers'> & Required<Pick<OverlayMount, 'upper'>>,
  change: (root: string) => Promise<void>,
): Promise<void> {
  const target = makeTarget(layout);
  const { work } = stack.upper;
  try {
    mkdirSync(work, { recursive: true, mode: 0o700 });
    mountOverlay(layout, { ...stack, volatile: true, target });
    await change(target);
  } finally {
    unmount(target);
    rmdirSync(target);
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Where the host shares its mounts between namespaces, ours must not spread: another one would keep them busy.
 * Then `root` is mounted on itself, privately. True if it is so now.
 */
export function isolate(root: string): boolean {
  const inside = (path: string) => path === '/' || root === path || root.startsWith(`${path}/`);
  const over = readMounts().filter((entry) => inside(entry.path));
  const nearest = over.reduce((best, entry) => (entry.path.length >= best.path.length ? entry : best));
  if (!nearest.shared) return nearest.path === root;
  if (nearest.path !== root) mount({ source: root, target: root, type: '', flags: MountFlag.bind });
  mount({ source: '', target: root, type: '', flags: MountFlag.private });
  return true;
}

function makeTarget(layout: Layout): string {
  const path = join(layout.views, randomBytes(8).toString('hex'));
  mkdirSync(path, { mode: 0o700 });
  return path;
}
