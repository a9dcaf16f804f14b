import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { FilesystemChange } from '../../api/index.ts';
import { getXattr } from '../../lib/xattr.ts';

const modified = 0;
const added = 1;
const deleted = 2;

const opaqueAttribute = 'trusted.overlay.opaque';
const entriesPerTurn = 500;

/** One directory of the upper tree; `lower` when a directory stands at the same path below. */
interface Directory {
  readonly path: Buffer;
  readonly lower: boolean;
}

/**
 * What `upper`, a tree in overlay's form, changes against the tree at `lower`: a directory counts as modified when
 * its attributes or anything in it changed, a deleted one is listed without what was in it.
 */
export async function listChanges(
  upper: string,
  lower: string | undefined,
  signal?: AbortSignal,
): Promise<FilesystemChange[]> {
  const kinds = new Map<string, 0 | 1 | 2>();
  const pending: Directory[] = [{ path: Buffer.alloc(0), lower: lower !== undefined }];
  let turn = 0;

  const note = (path: Buffer, kind: 0 | 1 | 2) => {
    let text = path.toString('latin1');
    kinds.set(text, kind);
    for (;;) {
      text = text.slice(0, text.lastIndexOf('/'));
      if (text === '' || kinds.has(text)) return;
      kinds.set(text, modified);
    }
  };
  const below = (path: Buffer): Stats | undefined => lstat(Buffer.concat([Buffer.from(lower ?? ''), path]));

  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path: directory } = next;
    const here = Buffer.concat([Buffer.from(upper), directory]);
    const names = readdirSync(here, { encoding: 'buffer' });
    for (const name of names) {
      turn += 1;
      if (turn % entriesPerTurn === 0) {
        await setImmediate();
        signal?.throwIfAborted();
      }
      const path = Buffer.concat([directory, slash, name]);
      const now = lstat(Buffer.concat([Buffer.from(upper), path]));
      if (now === undefined) continue;
      const before = next.lower ? below(path) : undefined;
      if (isWhiteout(now)) {
        if (before !== undefined) note(path, deleted);
        continue;
      }
      const both = now.isDirectory() && before?.isDirectory() === true;
      if (before === undefined) note(path, added);
      else if (!both || !sameDirectory(now, before)) note(path, modified);
      if (now.isDirectory()) pending.push({ path, lower: both });
    }
    if (next.lower && lower !== undefined && directory.length > 0 && isOpaque(here)) {
      const kept = new Set(names.map((name) => name.toString('latin1')));
      const hidden = readdirSync(Buffer.concat([Buffer.from(lower), directory]), { encoding: 'buffer' });
      for (const name of hidden) {
        if (!kept.has(name.toString('latin1'))) note(Buffer.concat([directory, slash, name]), deleted);
      }
    }
  }
  return [...kinds]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, kind]) => ({ Path: Buffer.from(path, 'latin1').toString('utf8'), Kind: kind }));
}

/** How overlayfs marks a deletion in the upper tree. */
export function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

/** How it marks a directory that hides those below. */
export function isOpaque(path: Buffer): boolean {
  return getXattr(path, opaqueAttribute)?.toString('latin1') === 'y';
}

function sameDirectory(a: Stats, b: Stats): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.mtimeMs === b.mtimeMs;
}

function lstat(path: Buffer): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

const slash = Buffer.from('/');
