import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { kernelAtLeast } from '../../lib/kernel-version.ts';
import { MountFlag, mount } from '../../lib/native.ts';
import type { Layout } from './layout.ts';

export interface OverlayMount {
  /** Committed snapshot directories, top first. */
  readonly lowers: readonly string[];
  /** A tree between them and the upper one: the init layer. Absolute. */
  readonly init?: string;
  /** Absent for a read-only mount. */
  readonly upper?: { readonly upper: string; readonly work: string };
  /** Nothing that is written is ever synced. */
  readonly volatile?: boolean;
  /** Default: with no upper tree only. */
  readonly readOnly?: boolean;
  readonly target: string;
}

/**
 * redirect_dir and metacopy would leave trees that only this mount can read, not tar. `nofollow` also ignores
 * redirects that a hostile layer brings.
 */
const fixed = 'redirect_dir=nofollow,metacopy=off,index=off';
const knowsVolatile = kernelAtLeast(release(), '5.10');
/** mount(2) copies one page, with a closing zero byte. */
const mostData = 4095;

/** Mounts an overlay; short links keep 128 layers within mount(2)'s one page of options. */
export function mountOverlay(layout: Layout, request: OverlayMount): void {
  // The kernel's mark of a volatile mount, which it takes for lost data: but what such a tree held was nobody's to keep.
  if (request.upper !== undefined)
    rmSync(join(request.upper.work, 'work', 'incompat'), { recursive: true, force: true });
  const plain = dataOf(request, layout.root, layout.empty);
  if (plain.length <= mostData && !/[\\:,]/.test(layout.root)) {
    mountAt(request, plain);
    return;
  }
  // Through an open directory the paths are short whatever the root is called.
  const fd = openSync(layout.root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    mountAt(request, dataOf(request, layout.root, layout.empty, `/proc/self/fd/${fd}`));
  } finally {
    closeSync(fd);
  }
}

function mountAt(request: OverlayMount, data: string): void {
  const flags = (request.readOnly ?? request.upper === undefined) ? MountFlag.readOnly : 0;
  mount({ source: 'overlay', target: request.target, type: 'overlay', flags, data });
}

function dataOf(request: OverlayMount, root: string, empty: string, as: string = root): string {
  const shorten = (path: string) => as + path.slice(root.length);
  const lowers = request.lowers.map((id) => join(as, 'l', id));
  if (request.init !== undefined) lowers.unshift(shorten(request.init));
  if (lowers.length === 0 || (request.upper === undefined && lowers.length === 1))
    lowers.push(shorten(empty));
  const upper =
    request.upper === undefined
      ? ''
      : `,upperdir=${shorten(request.upper.upper)},workdir=${shorten(request.upper.work)}`;
  const unsynced = request.volatile === true && knowsVolatile ? ',volatile' : '';
  return `lowerdir=${lowers.join(':')}${upper},${fixed}${unsynced}`;
}
