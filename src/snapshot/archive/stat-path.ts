import { type BigIntStats, fstatSync } from 'node:fs';
import { relative } from 'node:path';
import type { PathStat } from '../../api/index.ts';
import { type OpenFile, openInRoot, openPath } from '../../lib/open-in-root.ts';
import { resolveInRoot } from '../../lib/root-path.ts';

/** A path in a container as `docker cp` gives it, split the way Docker does. */
export interface ContainerPath {
  /** Absolute, cleaned, with the trailing `/` or `/.` that was there. */
  readonly absolute: string;
  readonly directory: string;
  /** Empty or `.` after a trailing slash or dot: then a symlink before it is followed. */
  readonly base: string;
}

export function containerPath(path: string): ContainerPath {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  const clean = `/${parts.join('/')}`;
  const tail = /(?:^|\/)\.$/.test(path) ? '/.' : path.endsWith('/') ? '/' : '';
  const absolute = clean === '/' ? (tail === '/.' ? '/.' : '/') : clean + tail;
  const slash = absolute.lastIndexOf('/');
  return { absolute, directory: absolute.slice(0, slash + 1), base: absolute.slice(slash + 1) };
}

/** Opens what a `docker cp` path names (O_PATH): the directory part is followed, a symlink at the end is not. */
export function openContainerPath(root: string, path: ContainerPath): OpenFile {
  using top = openPath(root);
  return openInRoot(top, path.absolute, { followLast: false });
}

/** Go's os.FileMode bits for what is no permission. */
const goMode = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  namedPipe: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  characterDevice: 2 ** 21,
  sticky: 2 ** 20,
} as const;

/** A file's mode as Go's os.FileMode, which the Engine API speaks. */
export function goFileMode(stats: BigIntStats): number {
  const mode = Number(stats.mode);
  let result = mode & 0o777;
  if (stats.isDirectory()) result += goMode.directory;
  if (stats.isSymbolicLink()) result += goMode.symlink;
  if (stats.isFIFO()) result += goMode.namedPipe;
  if (stats.isSocket()) result += goMode.socket;
  if (stats.isBlockDevice()) result += goMode.device;
  if (stats.isCharacterDevice()) result += goMode.device + goMode.characterDevice;
  if ((mode & 0o4000) !== 0) result += goMode.setuid;
  if ((mode & 0o2000) !== 0) result += goMode.setgid;
  if ((mode & 0o1000) !== 0) result += goMode.sticky;
  return result;
}

/**
 * What `docker cp` asks about a path below `root` first. Throws Node's errors (ENOENT, ENOTDIR, ELOOP).
 */
export function statPath(root: string, path: string): PathStat {
  const wanted = containerPath(path);
  using file = openContainerPath(root, wanted);

  const stats = statOf(file);
  return {
    name: baseName(wanted.absolute),
    size: Number(stats.size),
    mode: goFileMode(stats),
    mtime: formatTime(stats.mtimeNs),
    linkTarget: stats.isSymbolicLink() ? `/${relative(root, resolveInRoot(root, wanted.absolute))}` : '',
  };
}

/** The last element as Go's filepath.Base gives it. */
export function baseName(absolute: string): string {
  const trimmed = absolute.replace(/\/+$/, '');
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1);
}

export function statOf(file: OpenFile): BigIntStats {
  return fstatSync(file.fd, { bigint: true });
}

/** RFC 3339 with nanoseconds, in UTC. */
function formatTime(nanoseconds: bigint): string {
  const fraction = String(((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n).padStart(
    9,
    '0',
  );
  const whole = new Date(Number((nanoseconds - BigInt(fraction)) / 1_000_000n)).toISOString().slice(0, 19);
  const digits = fraction.replace(/0+$/, '');
  return `${whole}${digits === '' ? '' : `.${digits}`}Z`;
}
