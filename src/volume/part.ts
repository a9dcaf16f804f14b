import { fstatSync, mkdtempSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MountFlag, mount, unmount } from '../lib/native.ts';
import { openSubpath } from '../lib/open-subpath.ts';
import type { VolumePart } from './volumes.ts';

const prefix = 'part-';

/**
 * Binds a file or directory of a volume to a path beside the volume. What is given to a runtime as a name could be
 * another thing by the time it is mounted: containers that have the volume can swap it for a link to the host.
 */
export function openPart(data: string, subpath: string): VolumePart {
  using file = openSubpath(data, subpath, 'volume');
  const directory = mkdtempSync(join(dirname(data), prefix));
  const isDirectory = fstatSync(file.fd).isDirectory();
  const path = isDirectory ? directory : join(directory, 'file');
  try {
    if (!isDirectory) writeFileSync(path, '');
    mount({ source: file.path, target: path, type: '', flags: MountFlag.bind });
  } catch (error) {
    rmSync(directory, { recursive: true });
    throw error;
  }
  return { path, [Symbol.dispose]: () => closePart(path, directory) };
}

function closePart(path: string, directory: string): void {
  unmount(path);
  // Never by walking down: were it still mounted, that would delete the volume's files.
  if (path !== directory) unlinkSync(path);
  rmdirSync(directory);
}

/** Whether this is the directory of a part that was open once. */
export function isPart(name: string): boolean {
  return name.startsWith(prefix);
}
