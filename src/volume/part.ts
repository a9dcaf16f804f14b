import { fstatSync, mkdtempSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EngineError, hasErrno } from '../errors/index.ts';
import { MountFlag, mount, unmount } from '../lib/native.ts';
import { type OpenFile, openInRoot, openPath } from '../lib/open-in-root.ts';
import type { VolumePart } from './volumes.ts';

const prefix = 'part-';

/**
 * Binds a file or directory of a volume to a path beside the volume. What is given to a runtime as a name could be
 * another thing by the time it is mounted: containers that have the volume can swap it for a link to the host.
 */
export function openPart(data: string, subpath: string): VolumePart {
  using file = openWithin(data, subpath);
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

function openWithin(data: string, subpath: string): OpenFile {
  using root = openPath(data);
  try {
    return openInRoot(root, subpath, { strict: true });
  } catch (error) {
    if (hasErrno(error, 'EXDEV')) {
      const text = `subpath "${subpath}" is not within the volume`;
      throw new EngineError('invalidArgument', text, { cause: error });
    }
    if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'ENOTDIR')) throw error;
    const text = `cannot access path ${join(data, subpath)}: no such file or directory`;
    throw new EngineError('notFound', text, { cause: error });
  }
}

/** Whether this is the directory of a part that was open once. */
export function isPart(name: string): boolean {
  return name.startsWith(prefix);
}
