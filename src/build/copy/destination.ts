import { EngineError } from '../../errors/index.ts';
import { type ByteString, textOf } from '../../lib/tar/index.ts';
import { joinPath, type SourceTree, type TreeEntry } from '../context/source-tree.ts';
import type { LayerEntry } from './layer-tar.ts';
import type { Owner } from './owner.ts';

const mostLinks = 255;
const nowhere = '' as ByteString;

export interface NewDirectory {
  readonly mode: number;
  readonly owner: Owner;
  readonly mtimeNs: bigint;
}

/**
 * The image that files are copied onto: finds real places behind its symlinks, and collects the directory entries a
 * layer needs, existing ones with the attributes they have.
 */
export class Destination {
  /** `undefined` for an empty image. */
  readonly #image: SourceTree | undefined;
  readonly #made = new Set<ByteString>();
  readonly #existing = new Map<ByteString, TreeEntry | undefined>();

  constructor(image: SourceTree | undefined) {
    this.#image = image;
  }

  /** What the image has at a real path (no symlink but at its end). */
  async stat(path: ByteString): Promise<TreeEntry | undefined> {
    if (this.#image === undefined) return undefined;
    if (this.#existing.has(path)) return this.#existing.get(path);
    const slash = path.lastIndexOf('/');
    // Nothing can be in a directory that is not there: saves looking.
    const parent = slash === -1 ? undefined : await this.stat(path.slice(0, slash) as ByteString);
    const entry = slash !== -1 && parent?.type !== 'directory' ? undefined : await this.#image.stat(path);
    this.#existing.set(path, entry);
    return entry;
  }

  /** The real place of a path: symlinks of the image followed as if it were the root; the rest may not exist. */
  async resolve(path: string): Promise<ByteString> {
    let pending = path.split('/');
    let at = nowhere;
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
      const entry = this.#made.has(next) ? undefined : await this.stat(next);
      if (entry?.type !== 'symlink') {
        at = next;
        continue;
      }
      links += 1;
      if (links > mostLinks) throw new EngineError('invalidArgument', `too many links in ${path}`);
      if (entry.linkPath.startsWith('/')) at = nowhere;
      pending = [...entry.linkPath.split('/'), ...rest];
    }
    return at;
  }

  /** Whether a real path is a directory, of the image or of the layer so far. */
  async isDirectory(path: ByteString): Promise<boolean> {
    if (path === '' || this.#made.has(path)) return true;
    return (await this.stat(path))?.type === 'directory';
  }

  /** The entries a layer needs so that a directory is there, its parents first; none for those it has already. */
  async directory(path: ByteString, fresh: NewDirectory): Promise<LayerEntry[]> {
    const entries: LayerEntry[] = [];
    for (let slash = 0; slash !== -1 && path !== ''; ) {
      slash = path.indexOf('/', slash + 1);
      const one = (slash === -1 ? path : path.slice(0, slash)) as ByteString;
      if (this.#made.has(one)) continue;
      const existing = await this.stat(one);
      if (existing !== undefined && existing.type !== 'directory') {
        throw new EngineError('invalidArgument', `cannot copy to non-directory: /${textOf(one)}`);
      }
      this.#made.add(one);
      entries.push(existing === undefined ? newDirectory(one, fresh) : sameDirectory(existing));
    }
    return entries;
  }

  /** The same for a directory that is copied: it is merged with one that is there, but looks as its source does. */
  async merged(path: ByteString, attributes: NewDirectory): Promise<LayerEntry[]> {
    if (path === '') return [];
    const entries = await this.directory(path, attributes);
    const copied = newDirectory(path, attributes);
    return [...entries.filter(({ header }) => header.path !== copied.header.path), copied];
  }
}

function newDirectory(path: ByteString, { mode, owner, mtimeNs }: NewDirectory): LayerEntry {
  return { header: { path: `${path}/` as ByteString, type: 'directory', mode, ...owner, mtimeNs } };
}

function sameDirectory(entry: TreeEntry): LayerEntry {
  const { mode, uid, gid, mtimeNs, attributes } = entry;
  return {
    header: {
      path: `${entry.path}/` as ByteString,
      type: 'directory',
      mode,
      uid,
      gid,
      mtimeNs,
      pax: attributes,
    },
  };
}
