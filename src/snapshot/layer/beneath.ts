import { chmodSync, chownSync, lstatSync, type Stats, utimesSync } from 'node:fs';
import { type ByteString, bufferOf } from '../../lib/tar/index.ts';

/** The file at a clean path below `root`, reached through real directories only. Nothing may change the tree. */
export function lstatBeneath(root: string, path: ByteString): Stats | undefined {
  let stats: Stats | undefined = lstatSync(root, { throwIfNoEntry: false });
  const parts = path === '' ? [] : path.split('/');
  for (let count = 1; count <= parts.length; count += 1) {
    if (stats?.isDirectory() !== true) return undefined;
    stats = lstatSync(below(root, parts.slice(0, count).join('/')), { throwIfNoEntry: false });
  }
  return stats;
}

/** Gives the directory `path` of `to` the owner, mode and time of that of `from`. */
export function copyAttributes(from: string, to: string, path: ByteString): void {
  const stats = lstatSync(below(from, path));
  chownSync(below(to, path), stats.uid, stats.gid);
  chmodSync(below(to, path), stats.mode & 0o7777);
  utimesSync(below(to, path), stats.atimeMs / 1000, stats.mtimeMs / 1000);
}

function below(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), bufferOf(path)]);
}
