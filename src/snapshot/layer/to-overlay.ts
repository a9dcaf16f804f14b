import { EngineError } from '../../errors/index.ts';
import {
  type ByteString,
  cleanPath,
  encodeTarEntry,
  type TarEntry,
  TarParser,
  type TarPart,
  tarEnd,
  textOf,
  xattrKey,
} from '../../lib/tar/index.ts';
import type { Usage } from '../snapshotter.ts';
import {
  baseOf,
  joinPath,
  metaPrefix,
  opaqueAttribute,
  opaqueName,
  overlayPrefix,
  parentOf,
  whiteoutPrefix,
} from './names.ts';

/** A hard link whose target is not in its own layer. */
export interface LinkBelow {
  readonly path: ByteString;
  readonly target: ByteString;
}

export interface ToOverlayOptions {
  /** Nothing is below: whiteouts have no effect. */
  readonly base: boolean;
}

/** Where a path of the layer came from, as far as later entries must know. */
type Seen = 'file' | 'escape' | 'whiteout' | 'implied' | TarEntry;

/**
 * An OCI layer tar as one that unpacks into overlay's form: whiteouts become 0:0 devices, opaque markers an attribute.
 * Header bytes that need no change, and all content, pass as views of the input.
 *
 * Throws `invalidArgument` with the entry's name for an entry that leaves the root.
 */
export class ToOverlay {
  readonly #parser = new TarParser();
  readonly #options: ToOverlayOptions;
  readonly #seen = new Map<string, Seen>();
  readonly #linksBelow: LinkBelow[] = [];
  #out: Buffer[] = [];
  #skipping = false;
  #bytes = 0;
  /** Members of one directory mostly stand together. */
  #lastParent: ByteString | undefined;

  constructor(options: ToOverlayOptions) {
    this.#options = options;
  }

  /** What the next input bytes become; valid until the next call, like the input itself. */
  push(chunk: Buffer): Buffer[] {
    this.#out = [];
    for (const part of this.#parser.push(chunk)) this.#part(part);
    return this.#out;
  }

  /** The end of the archive. */
  finish(): Buffer {
    this.#parser.finish();
    return tarEnd;
  }

  /** Bytes of files and number of inodes that have come. */
  get usage(): Usage {
    return { bytes: this.#bytes, inodes: this.#seen.size };
  }

  /** Whether the layer says what its root directory is like. */
  get hasRoot(): boolean {
    return this.#seen.has('');
  }

  /** To be linked after unpacking, through the layers below. */
  get linksBelow(): readonly LinkBelow[] {
    return this.#linksBelow;
  }

  /** Directories without an entry of their own, parents first: they keep the attributes of those below. */
  get impliedDirectories(): ByteString[] {
    const paths: ByteString[] = [];
    for (const [path, seen] of this.#seen) if (seen === 'implied') paths.push(path as ByteString);
    return paths;
  }

  #part(part: TarPart): void {
    if (part.kind === 'entry') {
      this.#skipping = false;
      this.#entry(part.entry, part.raw);
    } else if (part.kind === 'global') {
      this.#emit(part.raw);
    } else if (part.kind !== 'end' && !this.#skipping) {
      this.#emit(part.bytes);
    }
  }

  #entry(entry: TarEntry, raw: Buffer): void {
    const path = cleanPath(entry.path);
    if (path === undefined) throw refuse(entry, 'it leaves the root');
    const base = baseOf(path);
    if (path.includes(metaPrefix) && base !== opaqueName) {
      this.#skipping = isMeta(path);
      if (this.#skipping) return;
    }
    const parent = parentOf(path);
    if (path !== '' && parent !== this.#lastParent) this.#enter(parent, entry);
    if (base.startsWith(whiteoutPrefix)) {
      this.#skipping = true;
      this.#whiteout(entry, parent, base);
      return;
    }
    if (entry.type === 'directory') this.#directory(path, entry, raw);
    else this.#file(path, entry, raw);
  }

  /** Checks and notes the directories above an entry. */
  #enter(directory: ByteString, entry: TarEntry): void {
    for (let at = directory; at !== ''; at = parentOf(at)) {
      const seen = this.#seen.get(at);
      if (baseOf(at).startsWith(whiteoutPrefix)) throw refuse(entry, 'it lies in a whiteout');
      if (seen === 'escape') throw refuse(entry, `it passes the symbolic link ${JSON.stringify(textOf(at))}`);
      if (seen === undefined) this.#set(at, 'implied');
      if (seen !== 'whiteout') continue;
      const made = withOpaque({ ...impliedDirectory, path: `${at}/` as ByteString });
      this.#set(at, made);
      this.#emit(encodeTarEntry(made));
    }
    this.#lastParent = directory;
  }

  #directory(path: ByteString, entry: TarEntry, raw: Buffer): void {
    // Deleted and made again in one layer: nothing below shows through.
    const opaque = this.#seen.get(path) === 'whiteout';
    this.#set(path, opaque ? withOpaque(entry) : entry);
    if (opaque) this.#emit(encodeTarEntry(withOpaque(entry)));
    else this.#emitEntry(entry, raw);
  }

  #file(path: ByteString, entry: TarEntry, raw: Buffer): void {
    if (path === '') throw refuse(entry, 'it would replace the root');
    if (entry.type === 'link' && !this.#link(path, entry)) return;
    if (entry.type === 'file') this.#bytes += entry.size;
    this.#lastParent = entry.type === 'symlink' ? undefined : this.#lastParent;
    this.#set(path, entry.type === 'symlink' && escapes(entry.linkPath) ? 'escape' : 'file');
    this.#emitEntry(entry, raw);
  }

  /** False if the link is left for later. */
  #link(path: ByteString, entry: TarEntry): boolean {
    const target = cleanPath(entry.linkPath);
    if (target === undefined || target === '') {
      throw refuse(entry, `it links to ${JSON.stringify(textOf(entry.linkPath))}`);
    }
    for (let at = parentOf(target); at !== ''; at = parentOf(at)) {
      if (this.#seen.get(at) === 'escape') throw refuse(entry, 'its target passes a symbolic link');
    }
    const seen = this.#seen.get(target);
    if (seen === 'file' || seen === 'escape') return true;
    if (this.#options.base || seen !== undefined) {
      throw refuse(entry, `it links to ${JSON.stringify(textOf(target))}, which is not there`);
    }
    this.#linksBelow.push({ path, target });
    return false;
  }

  #whiteout(entry: TarEntry, parent: ByteString, base: ByteString): void {
    if (this.#options.base) return;
    if (base === opaqueName) {
      this.#makeOpaque(parent, entry);
      return;
    }
    const name = base.slice(whiteoutPrefix.length);
    if (name === '' || name === '.' || name === '..') throw refuse(entry, 'it is no valid whiteout');
    const path = joinPath(parent, name);
    const seen = this.#seen.get(path);
    // It speaks of the layers below; what this layer has at the path stays.
    if (seen === 'file' || seen === 'escape') return;
    if (seen !== undefined && seen !== 'whiteout') {
      this.#makeOpaque(path, entry);
      return;
    }
    this.#set(path, 'whiteout');
    this.#emit(encodeTarEntry({ path, type: 'character', mode: 0 }));
  }

  #makeOpaque(path: ByteString, entry: TarEntry): void {
    const seen = this.#seen.get(path);
    if (seen === 'file' || seen === 'escape') throw refuse(entry, 'its directory is none');
    const directory: TarEntry =
      typeof seen === 'object'
        ? withOpaque(seen)
        : withOpaque({ ...impliedDirectory, path: (path === '' ? './' : `${path}/`) as ByteString });
    if (typeof seen === 'object') this.#set(path, directory);
    this.#emit(encodeTarEntry(directory));
  }

  #set(path: ByteString, seen: Seen): void {
    this.#seen.set(path, seen);
  }

  #emitEntry(entry: TarEntry, raw: Buffer): void {
    for (const key of entry.pax.keys()) {
      if (!key.startsWith(xattrKey(overlayPrefix))) continue;
      const pax = [...entry.pax].filter(([name]) => !name.startsWith(xattrKey(overlayPrefix)));
      this.#emit(encodeTarEntry({ ...entry, pax: new Map(pax) }));
      return;
    }
    this.#emit(raw);
  }

  /** Joins views that follow each other in the input. */
  #emit(bytes: Buffer): void {
    const last = this.#out.at(-1);
    if (last?.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset) {
      this.#out[this.#out.length - 1] = Buffer.from(
        bytes.buffer,
        last.byteOffset,
        last.length + bytes.length,
      );
    } else if (bytes.length > 0) this.#out.push(bytes);
  }
}

const impliedDirectory: TarEntry = {
  path: '' as ByteString,
  type: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  mtimeNs: 0n,
  linkPath: '' as ByteString,
  userName: '' as ByteString,
  groupName: '' as ByteString,
  deviceMajor: 0,
  deviceMinor: 0,
  pax: new Map(),
  sparse: false,
};

function withOpaque(entry: TarEntry): TarEntry {
  return { ...entry, pax: new Map([...entry.pax, [xattrKey(opaqueAttribute), 'y' as ByteString]]) };
}

function isMeta(path: ByteString): boolean {
  return path.split('/').some((part) => part.startsWith(metaPrefix) && part !== opaqueName);
}

/** Whether a symbolic link could lead out of the directory that the layer is unpacked into. */
function escapes(target: ByteString): boolean {
  return target.startsWith('/') || target.split('/').includes('..');
}

function refuse(entry: TarEntry, why: string): EngineError {
  return new EngineError(
    'invalidArgument',
    `Refusing the entry ${JSON.stringify(textOf(entry.path))}: ${why}`,
  );
}
