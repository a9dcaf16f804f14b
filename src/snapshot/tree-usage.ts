import { type Dirent, lstatSync, readdirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { hasErrno } from '../errors/index.ts';
import type { Usage } from './snapshotter.ts';

export interface TreeUsage extends Usage {
  /** Bytes of files that are holes. */
  readonly holes: number;
}

/** Lets other work run while a large tree is walked. */
const entriesPerTurn = 500;

/** Adds up a tree without following symlinks; a file with several names counts once. */
export async function treeUsage(root: string | Buffer, signal?: AbortSignal): Promise<TreeUsage> {
  const linked = new Set<number>();
  const pending: Buffer[] = [Buffer.from(root)];
  let bytes = 0;
  let inodes = 1;
  let holes = 0;
  let turn = 0;
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const entry of entriesOf(directory)) {
      const path = Buffer.concat([directory, slash, entry.name]);
      turn += 1;
      if (turn % entriesPerTurn === 0) {
        await setImmediate();
        signal?.throwIfAborted();
      }
      if (entry.isDirectory()) pending.push(path);
      if (!entry.isFile()) {
        inodes += 1;
        continue;
      }
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined || (stats.nlink > 1 && linked.has(stats.ino))) continue;
      if (stats.nlink > 1) linked.add(stats.ino);
      inodes += 1;
      bytes += stats.size;
      holes += Math.max(0, stats.size - stats.blocks * 512);
    }
  }
  return { bytes, inodes, holes };
}

/** None for a directory that went since it was found. */
function entriesOf(directory: Buffer): Dirent<Buffer>[] {
  try {
    return readdirSync(directory, { encoding: 'buffer', withFileTypes: true });
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

const slash = Buffer.from('/');
