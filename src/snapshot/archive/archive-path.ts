import { constants } from 'node:fs';
import { Readable } from 'node:stream';
import { type OpenFile, openInRoot, openPath } from '../../lib/open-in-root.ts';
import {
  type ByteString,
  byteString,
  cleanPath,
  encodeTarEntry,
  TarParser,
  tarEnd,
} from '../../lib/tar/index.ts';
import { packTar } from '../layer/tar-program.ts';
import { baseName, containerPath, openContainerPath, statOf } from './stat-path.ts';

/**
 * A tar of the file or directory `path` below `root`, its entries named by the last element of the path as asked
 * (`docker cp` from a container): `bar/...` for `/foo/bar`, `./...` for `/foo/bar/.`, `/...` for the root.
 * Opening happens before the first await: a missing path throws ENOENT at once.
 */
export function archivePath(root: string, path: string, signal?: AbortSignal): Readable {
  const wanted = containerPath(path);
  const file = openContainerPath(root, wanted);
  try {
    const isDirectory = statOf(file).isDirectory();
    const place = isDirectory ? file : openParent(root, wanted.directory);
    if (!isDirectory) file[Symbol.dispose]();
    const source = isDirectory ? '.' : wanted.base;
    const stream = pack(place, { source, name: byteString(baseName(wanted.absolute)), signal });
    return Readable.from(stream, { objectMode: false }).once('close', () => {
      place[Symbol.dispose]();
    });
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

function openParent(root: string, directory: string): OpenFile {
  using top = openPath(root);
  return openInRoot(top, directory, { flags: constants.O_RDONLY | constants.O_DIRECTORY });
}

interface PackRequest {
  /** Packed within the open directory. */
  readonly source: string;
  /** What it is called in the archive. */
  readonly name: ByteString;
  readonly signal: AbortSignal | undefined;
}

async function* pack(place: OpenFile, request: PackRequest): AsyncGenerator<Buffer, void, undefined> {
  const { source, name, signal } = request;
  // tar changes into the very directory that was opened, whatever its name means by then.
  await using program = packTar(`/proc/${process.pid}/fd/${place.fd}`, {
    names: [Buffer.from(source)],
    attributes: ['security.capability', 'user.*'],
    sparse: false,
  });
  const parser = new TarParser();
  const old = byteString(source === '.' ? '' : source);
  for await (const chunk of program.output) {
    signal?.throwIfAborted();
    for (const part of parser.push(chunk as Buffer)) {
      if (part.kind === 'data' || part.kind === 'padding') yield part.bytes;
      if (part.kind !== 'entry') continue;
      const { entry } = part;
      const renamed = rename(entry.path, old, name);
      const linkPath = entry.type === 'link' ? rename(entry.linkPath, old, name) : entry.linkPath;
      const isDirectory = entry.type === 'directory' && !renamed.endsWith('/');
      yield encodeTarEntry({
        ...entry,
        path: (isDirectory ? `${renamed}/` : renamed) as ByteString,
        linkPath,
      });
    }
  }
  parser.finish();
  await program.finished();
  yield tarEnd;
}

function rename(path: ByteString, old: ByteString, name: ByteString): ByteString {
  const rest = (cleanPath(path) ?? path).slice(old.length).replace(/^\//, '');
  if (name === '/') return `/${rest}` as ByteString;
  return (rest === '' ? name : `${name}/${rest}`) as ByteString;
}
