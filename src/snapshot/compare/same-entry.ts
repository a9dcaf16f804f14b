import { readlinkSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { getXattr } from '../../lib/xattr.ts';

export interface Entry {
  readonly path: Buffer;
  readonly stats: Stats;
}

const chunkBytes = 1 << 18;

/** Whether two entries that are not both directories are the same but for their times: kind, owner, mode, content. */
export async function isSameEntry(a: Entry, b: Entry, signal?: AbortSignal): Promise<boolean> {
  // Two images that share a layer show the same inode.
  if (a.stats.ino === b.stats.ino && a.stats.ctimeMs === b.stats.ctimeMs) return true;
  if (a.stats.mode !== b.stats.mode || a.stats.uid !== b.stats.uid || a.stats.gid !== b.stats.gid)
    return false;
  if (a.stats.isSymbolicLink()) return targetOf(a).equals(targetOf(b));
  if (!a.stats.isFile()) return a.stats.rdev === b.stats.rdev;
  if (a.stats.size !== b.stats.size || !haveSameCapability(a.path, b.path)) return false;
  return haveSameContent(a.path, b.path, signal);
}

function targetOf({ path }: Entry): Buffer {
  return readlinkSync(path, { encoding: 'buffer' });
}

function haveSameCapability(a: Buffer, b: Buffer): boolean {
  const [one, other] = [a, b].map((path) => getXattr(path, 'security.capability'));
  return one === undefined || other === undefined ? one === other : one.equals(other);
}

async function haveSameContent(a: Buffer, b: Buffer, signal?: AbortSignal): Promise<boolean> {
  await using one = await open(a);
  await using other = await open(b);
  const [left, right] = [Buffer.allocUnsafe(chunkBytes), Buffer.allocUnsafe(chunkBytes)];
  for (let position = 0; ; position += chunkBytes) {
    signal?.throwIfAborted();
    const [x, y] = await Promise.all([
      one.read(left, 0, chunkBytes, position),
      other.read(right, 0, chunkBytes, position),
    ]);
    if (x.bytesRead !== y.bytesRead) return false;
    if (!left.subarray(0, x.bytesRead).equals(right.subarray(0, y.bytesRead))) return false;
    if (x.bytesRead < chunkBytes) return true;
  }
}
