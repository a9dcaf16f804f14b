import { chmodSync, chownSync, lstatSync, mkdirSync } from 'node:fs';

/** Makes the root of a layer's tree: the uppermost root directory gives the merged one its mode and owner. */
export function makeRoot(path: string, like: string | undefined): void {
  mkdirSync(path, { recursive: true, mode: 0o755 });
  const { mode, uid, gid } = like === undefined ? { mode: 0o755, uid: 0, gid: 0 } : lstatSync(like);
  if (uid !== 0 || gid !== 0) chownSync(path, uid, gid);
  chmodSync(path, mode & 0o7777);
}
