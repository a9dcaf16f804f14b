import { readSync } from 'node:fs';
import { EngineError } from '../../errors/index.ts';
import type { ByteString, TarType } from '../../lib/tar/index.ts';

/** A file, directory or other node of a tree that COPY copies from. */
export interface TreeEntry {
  /** Relative to the tree's root, clean; '' is the root itself. */
  readonly path: ByteString;
  readonly type: Exclude<TarType, 'link'>;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 for anything but a file. */
  readonly size: number;
  readonly mtimeNs: bigint;
  /** Target of a symlink, else empty. */
  readonly linkPath: ByteString;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Extended attributes as PAX records, `SCHILY.xattr.NAME`. */
  readonly attributes: ReadonlyMap<string, ByteString>;
  /** Of what has several names (hard links): the same for all of them. */
  readonly inode?: string;
}

/** A part of an open file that reading does not have to wait for: it was just written. */
export interface Region {
  readonly type: 'region';
  readonly fd: number;
  readonly offset: number;
  readonly size: number;
}

/** What a file contains: all there, readable without waiting, or to be waited for. */
export type Content = Buffer | Region | AsyncIterable<Buffer>;

/** A tree of files to copy from: the build context, or the file system of an image. */
export interface SourceTree {
  /** Whether copied files become root's: those of a context do. */
  readonly ownedByRoot: boolean;
  /** The entry itself, a symlink not followed. */
  stat(path: ByteString): Promise<TreeEntry | undefined>;
  /** What is in a directory, sorted. */
  children(path: ByteString): Promise<readonly TreeEntry[]>;
  /** Digest of a file's content, hex. */
  digest(entry: TreeEntry): Promise<string>;
  /** A file's content. */
  read(entry: TreeEntry): Content;
}

const root = '' as ByteString;
const mostLinks = 255;

export function isRegion(content: Content): content is Region {
  return 'type' in content && content.type === 'region';
}

/** A content piece by piece. */
export async function* chunksOf(content: Content): AsyncGenerator<Buffer, void, undefined> {
  if (Buffer.isBuffer(content)) yield content;
  else if (isRegion(content)) yield wholeRegion(content);
  else yield* content;
}

function wholeRegion(region: Region): Buffer {
  const bytes = Buffer.allocUnsafe(region.size);
  readFully(region, bytes, 0);
  return bytes;
}

/** Reads a region into `into` from `at` on. Throws `internal` if the file ends before. */
export function readFully({ fd, offset, size }: Region, into: Buffer, at: number): void {
  for (let done = 0; done < size; ) {
    const read = readSync(fd, into, at + done, size - done, offset + done);
    if (read === 0) throw new EngineError('internal', 'a spooled file ends early');
    done += read;
  }
}

/**
 * The name that was told first of all those of one file, if that is another one; `first` remembers them, by inode.
 */
export function firstName(
  first: Map<string, ByteString>,
  { inode }: TreeEntry,
  name: ByteString,
): ByteString | undefined {
  if (inode === undefined) return undefined;
  const known = first.get(inode);
  if (known === undefined) first.set(inode, name);
  return known;
}

/** The last part of a path. */
export function nameOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf('/') + 1) as ByteString;
}

export function joinPath(parent: ByteString, name: ByteString): ByteString {
  return (parent === '' ? name : `${parent}/${name}`) as ByteString;
}

/** The entry a path leads to, symlinks followed inside the tree; `undefined` when there is none. */
export async function resolveEntry(tree: SourceTree, path: ByteString): Promise<TreeEntry | undefined> {
  let pending = path.split('/');
  let at: ByteString = root;
  let links = 0;
  while (pending.length > 0) {
    const [name = '', ...rest] = pending;
    pending = rest;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at = at.slice(0, Math.max(at.lastIndexOf('/'), 0)) as ByteString;
      continue;
    }
    const next = joinPath(at, name as ByteString);
    const entry = await tree.stat(next);
    if (entry === undefined) return undefined;
    if (entry.type !== 'symlink') {
      if (rest.length > 0 && entry.type !== 'directory') return undefined;
      at = next;
      continue;
    }
    links += 1;
    if (links > mostLinks) throw new EngineError('invalidArgument', `too many links in ${path}`);
    if (entry.linkPath.startsWith('/')) at = root;
    pending = [...entry.linkPath.split('/'), ...rest];
  }
  return tree.stat(at);
}
