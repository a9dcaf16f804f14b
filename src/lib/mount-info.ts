import { readFileSync } from 'node:fs';
import { unmount } from './native.ts';

export interface MountPoint {
  readonly id: number;
  readonly path: string;
  readonly type: string;
  /** In a peer group: what is mounted below it shows up in other mount namespaces. */
  readonly shared: boolean;
}

/** The mounts of this process' namespace, in mount order. */
export function readMounts(): MountPoint[] {
  const mounts: MountPoint[] = [];
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const separator = line.indexOf(' - ');
    if (separator < 0) continue;
    const [id = '', , , , path = '', , ...optional] = line.slice(0, separator).split(' ');
    mounts.push({
      id: Number(id),
      path: unescape(path),
      type: line.slice(separator + 3).split(' ', 1)[0] ?? '',
      shared: optional.some((field) => field.startsWith('shared:')),
    });
  }
  return mounts;
}

/** The kernel writes space, tab, newline and backslash as octal escapes. */
function unescape(path: string): string {
  if (!path.includes('\\')) return path;
  const bytes = path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Unmounts what is mounted below a directory, so that what is then deleted there is the directory's own. */
export function unmountBelow(directory: string, chosen: (path: string) => boolean = () => true): void {
  const below = readMounts().filter(({ path }) => path.startsWith(`${directory}/`) && chosen(path));
  for (const { path } of below.reverse()) unmount(path);
}
