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
}

/** Bytes read in order: a short content comes as one buffer, without waiting. */
export type Content = Buffer | AsyncIterable<Buffer>;

/** A tree of files to copy from: the build context, or the file system of an image. */
export interface SourceTree {
  /** Whether copied files become root's: those of a context do. */
  readonly ownedByRoot: boolean;
  /** The entry itself, a symlink not followed. */
  stat(path: ByteString): Promise<TreeEntry | undefined>;
  /** Names in a directory, sorted. */
  list(path: ByteString): Promise<readonly ByteString[]>;
  /** Digest of a file's content, hex. */
  digest(entry: TreeEntry): Promise<string>;
  /** A file's content. */
  read(entry: TreeEntry): Content;
}

const root = '' as ByteString;
const mostLinks = 255;

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
