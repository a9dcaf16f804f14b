import { readSync } from 'node:fs';
import { EngineError } from '../../errors/index.ts';
import { type ByteString, byteString, textOf } from '../../lib/tar/index.ts';
import { ignoreMatcher, parseIgnoreFile } from '../ignore/ignore-file.ts';
import type { Content, SourceTree, TreeEntry } from './source-tree.ts';
import type { Spool, SpooledEntry } from './spool.ts';

/** A content up to this size is read at once: it is in the page cache, just written. */
const atOnce = 1 << 20;

/** A spooled archive as a tree to copy from. */
export class ContextTree implements SourceTree {
  readonly ownedByRoot = true;
  readonly #spool: Spool;
  readonly #entries = new Map<ByteString, SpooledEntry>();
  readonly #children = new Map<ByteString, ByteString[]>();
  readonly #sorted = new Set<ByteString>();

  /** `ignored` entries are left out; directories they leave without an entry of their own are made up. */
  constructor(spool: Spool, ignored: (path: string) => boolean = () => false) {
    this.#spool = spool;
    this.#add(directoryEntry('' as ByteString, spool.entries.get('' as ByteString)?.mtimeNs ?? 0n));
    for (const [path, entry] of spool.entries) if (path === '' || !ignored(textOf(path))) this.#add(entry);
  }

  async stat(path: ByteString): Promise<SpooledEntry | undefined> {
    return this.#entries.get(path);
  }

  async list(path: ByteString): Promise<readonly ByteString[]> {
    const names = this.#children.get(path) ?? [];
    if (!this.#sorted.has(path)) {
      names.sort();
      this.#sorted.add(path);
    }
    return names;
  }

  async digest(entry: TreeEntry): Promise<string> {
    return this.#spooled(entry).contentDigest;
  }

  read(entry: TreeEntry): Content {
    const { offset, size } = this.#spooled(entry);
    if (size <= atOnce) return readWhole(this.#spool.file.fd, offset, size);
    return readParts(this.#spool, offset, size);
  }

  #spooled(entry: TreeEntry): SpooledEntry {
    const spooled = this.#entries.get(entry.path);
    if (spooled === undefined) throw new EngineError('internal', `${entry.path} is not in the context`);
    return spooled;
  }

  #add(entry: SpooledEntry): void {
    const { path } = entry;
    const known = this.#entries.has(path);
    this.#entries.set(path, entry);
    if (known || path === '') return;
    const slash = path.lastIndexOf('/');
    const parent = path.slice(0, Math.max(slash, 0)) as ByteString;
    if (!this.#entries.has(parent)) this.#add(directoryEntry(parent, entry.mtimeNs));
    const names = this.#children.get(parent);
    const name = path.slice(slash + 1) as ByteString;
    if (names === undefined) this.#children.set(parent, [name]);
    else names.push(name);
  }
}

/** What of a context decides how it is read. */
export interface ContextFiles {
  /** Text of the Dockerfile. */
  readonly dockerfile: string;
  readonly tree: ContextTree;
}

/**
 * Reads Dockerfile and ignore file of a spooled context.
 * Rejects with `invalidArgument` "Cannot locate specified Dockerfile: x", and for an ignore file with bad syntax.
 */
export async function openContext(spool: Spool, dockerfilePath: string): Promise<ContextFiles> {
  const whole = new ContextTree(spool);
  const textAt = (path: string) => {
    const entry = spool.entries.get(byteString(path));
    return entry?.type === 'file' ? wholeText(whole.read(entry)) : undefined;
  };
  const dockerfile = await textAt(dockerfilePath);
  if (dockerfile === undefined) {
    throw new EngineError('invalidArgument', `Cannot locate specified Dockerfile: ${dockerfilePath}`);
  }
  const ignoreText = (await textAt(`${dockerfilePath}.dockerignore`)) ?? (await textAt('.dockerignore'));
  if (ignoreText === undefined) return { dockerfile, tree: whole };
  return { dockerfile, tree: new ContextTree(spool, ignoreMatcher(parseIgnoreFile(ignoreText))) };
}

async function wholeText(content: Content): Promise<string> {
  if (Buffer.isBuffer(content)) return content.toString('utf8');
  return Buffer.concat(await Array.fromAsync(content)).toString('utf8');
}

function readWhole(fd: number, offset: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  for (let at = 0; at < size; ) {
    const read = readSync(fd, bytes, at, size - at, offset + at);
    if (read === 0) throw new EngineError('internal', 'the spooled build context ends early');
    at += read;
  }
  return bytes;
}

async function* readParts(spool: Spool, offset: number, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < size; ) {
    const bytes = Buffer.allocUnsafe(Math.min(atOnce, size - at));
    const { bytesRead } = await spool.file.read(bytes, 0, bytes.length, offset + at);
    if (bytesRead === 0) throw new EngineError('internal', 'the spooled build context ends early');
    yield bytes.subarray(0, bytesRead);
    at += bytesRead;
  }
}

function directoryEntry(path: ByteString, mtimeNs: bigint): SpooledEntry {
  return {
    path,
    type: 'directory',
    mode: 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    mtimeNs,
    linkPath: '' as ByteString,
    deviceMajor: 0,
    deviceMinor: 0,
    attributes: new Map(),
    offset: 0,
    contentDigest: '',
  };
}
