import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { hasErrno } from '../errors/index.ts';
import {
  type ByteString,
  bufferOf,
  byteString,
  encodeTarEntry,
  paddingOf,
  tarEnd,
  textOf,
} from '../lib/tar/index.ts';

export interface PackOptions {
  /** Name of the top entry in the archive; '' packs only what is in the directory. */
  readonly name: string;
  /** True for a path, relative to the top, that stays out. A directory kept out may still hold files that are kept in. */
  readonly ignores?: (path: string) => boolean;
  /** Whether something under a directory that is kept out can be kept in, so that it has to be walked. */
  readonly hasExceptions?: boolean;
  /** Everything belongs to root, as in a build context. */
  readonly asRoot?: boolean;
  /** The top entry is what its symlink points to. */
  readonly followTop?: boolean;
}

/** Small files are read whole, and archive bytes handed on in pieces of about this size. */
const batchSize = 1 << 20;

/** A tar of a file or directory tree, read while it is sent. Sockets are left out. */
export function packTree(top: string, options: PackOptions): Readable {
  return Readable.from(pack(top, options), { objectMode: false, highWaterMark: batchSize });
}

async function* pack(top: string, options: PackOptions): AsyncGenerator<Buffer> {
  let batch: Buffer[] = [];
  let size = 0;
  for (const { path, name, stats } of walk(top, options)) {
    const small = stats.isFile() && stats.size <= batchSize;
    // Read first: the header must tell the size that follows, though the file may be growing.
    const content = small ? readFileSync(path) : undefined;
    const header = headerOf(path, name, {
      stats,
      size: content?.length ?? stats.size,
      asRoot: options.asRoot ?? false,
    });
    if (header === undefined) continue;
    batch.push(header);
    size += header.length;
    if (content !== undefined) {
      const padding = Buffer.alloc(paddingOf(content.length));
      batch.push(content, padding);
      size += content.length + padding.length;
    }
    const large = stats.isFile() && !small;
    if (!large && size < batchSize) continue;
    yield Buffer.concat(batch);
    batch = [];
    size = 0;
    if (large) yield* largeFile(path, stats.size);
  }
  yield Buffer.concat([...batch, tarEnd]);
}

interface Walked {
  readonly path: Buffer;
  readonly name: ByteString;
  readonly stats: Stats;
}

function* walk(top: string, options: PackOptions): Generator<Walked> {
  const stats = options.followTop === true ? statSync(top) : lstatSync(top);
  const name = byteString(options.name);
  if (name !== '') yield { path: Buffer.from(top), name, stats };
  if (stats.isDirectory())
    yield* walkDirectory(byteString(top), { relative: byteString(''), name, ignored: false }, options);
}

function* walkDirectory(
  directory: ByteString,
  at: { readonly relative: ByteString; readonly name: ByteString; readonly ignored: boolean },
  options: PackOptions,
): Generator<Walked> {
  for (const entry of entriesOf(directory)) {
    const relative = under(at.relative, entry);
    const ignored = options.ignores?.(textOf(relative)) ?? false;
    const child = under(directory, entry);
    const path = bufferOf(child);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    // It went while the tree was read.
    if (stats === undefined) continue;
    const name = under(at.name, entry);
    if (!ignored) yield { path, name, stats };
    if (stats.isDirectory() && (!ignored || options.hasExceptions === true)) {
      yield* walkDirectory(child, { relative, name, ignored }, options);
    }
  }
}

/** None where it went while the tree was read. */
function entriesOf(directory: ByteString): ByteString[] {
  try {
    return readdirSync(bufferOf(directory), 'latin1').sort() as ByteString[];
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    return [];
  }
}

function under(directory: ByteString, entry: ByteString): ByteString {
  return directory === '' ? entry : (`${directory}/${entry}` as ByteString);
}

function headerOf(
  path: Buffer,
  name: ByteString,
  { stats, size, asRoot }: { readonly stats: Stats; readonly size: number; readonly asRoot: boolean },
): Buffer | undefined {
  const type = typeOf(stats);
  if (type === undefined) return undefined;
  return encodeTarEntry({
    path: type === 'directory' ? (`${name}/` as ByteString) : name,
    type,
    mode: stats.mode & 0o7777,
    uid: asRoot ? 0 : stats.uid,
    gid: asRoot ? 0 : stats.gid,
    mtimeNs: BigInt(Math.floor(stats.mtimeMs * 1000)) * 1000n,
    ...(type === 'file' ? { size } : {}),
    ...(type === 'symlink' ? { linkPath: readlinkSync(path, 'latin1') as ByteString } : {}),
  });
}

function typeOf(stats: Stats) {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  return stats.isFIFO() ? 'fifo' : undefined;
}

/** Exactly `size` bytes and the padding, even if the file changes meanwhile. */
async function* largeFile(path: Buffer, size: number): AsyncGenerator<Buffer> {
  await using file = await open(path, 'r');
  let left = size;
  while (left > 0) {
    const buffer = Buffer.allocUnsafe(Math.min(batchSize, left));
    const { bytesRead } = await file.read(buffer, 0, buffer.length);
    if (bytesRead === 0) {
      yield Buffer.alloc(left);
      break;
    }
    left -= bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
  yield Buffer.alloc(paddingOf(size));
}
