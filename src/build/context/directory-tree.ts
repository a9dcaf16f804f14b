import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { hasErrno } from '../../errors/index.ts';
import { type ByteString, bufferOf, byteString, xattrKey } from '../../lib/tar/index.ts';
import { getXattr, listXattrs } from '../../lib/xattr.ts';
import { joinPath, type SourceTree, type TreeEntry } from './source-tree.ts';

const readSize = 256 << 10;

/** A mounted, unchanging file system as a tree. Paths given to it must have no symlink but at their end. */
export class DirectoryTree implements SourceTree {
  readonly ownedByRoot = false;
  readonly #root: ByteString;

  constructor(root: string) {
    this.#root = byteString(root);
  }

  async stat(path: ByteString): Promise<TreeEntry | undefined> {
    const full = this.#full(path);
    let stats: Awaited<ReturnType<typeof lstatBig>>;
    try {
      stats = await lstatBig(full);
    } catch (error) {
      if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return undefined;
      throw error;
    }
    const type = typeOf(stats);
    if (type === undefined) return undefined;
    return {
      path,
      type,
      mode: Number(stats.mode & 0o7777n),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      size: type === 'file' ? Number(stats.size) : 0,
      mtimeNs: stats.mtimeNs,
      linkPath: (type === 'symlink' ? (await readlink(full, 'buffer')).toString('latin1') : '') as ByteString,
      deviceMajor: Number(((stats.rdev >> 8n) & 0xfffn) | ((stats.rdev >> 32n) & ~0xfffn)),
      deviceMinor: Number((stats.rdev & 0xffn) | ((stats.rdev >> 12n) & ~0xffn)),
      attributes: type === 'file' ? attributesOf(full) : noAttributes,
      ...(type !== 'directory' && stats.nlink > 1n ? { inode: `${stats.dev}:${stats.ino}` } : {}),
    };
  }

  async children(path: ByteString): Promise<readonly TreeEntry[]> {
    const names = await readdir(this.#full(path), { encoding: 'buffer' });
    const sorted = names.map((name) => name.toString('latin1') as ByteString).sort();
    const entries = await Promise.all(sorted.map((name) => this.stat(joinPath(path, name))));
    return entries.filter((entry) => entry !== undefined);
  }

  async digest(entry: TreeEntry): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of this.read(entry)) hash.update(chunk);
    return hash.digest('hex');
  }

  read(entry: TreeEntry): AsyncIterable<Buffer> {
    return createReadStream(this.#full(entry.path), { highWaterMark: readSize }) as AsyncIterable<Buffer>;
  }

  #full(path: ByteString): Buffer {
    return bufferOf(path === '' ? this.#root : `${this.#root}/${path}`);
  }
}

const noAttributes: ReadonlyMap<string, ByteString> = new Map();

/** What users and packages give a file; the rest (overlayfs's own, SELinux labels) belongs to this host. */
function attributesOf(path: Buffer): ReadonlyMap<string, ByteString> {
  const names = listXattrs(path).filter((name) => name === 'security.capability' || name.startsWith('user.'));
  if (names.length === 0) return noAttributes;
  const attributes = new Map<string, ByteString>();
  for (const name of names) {
    const value = getXattr(path, name);
    if (value !== undefined) attributes.set(xattrKey(name), value.toString('latin1') as ByteString);
  }
  return attributes;
}

function lstatBig(path: Buffer) {
  return lstat(path, { bigint: true });
}

/** Sockets have no place in a layer. */
function typeOf(stats: Awaited<ReturnType<typeof lstatBig>>): TreeEntry['type'] | undefined {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isCharacterDevice()) return 'character';
  if (stats.isBlockDevice()) return 'block';
  return undefined;
}
