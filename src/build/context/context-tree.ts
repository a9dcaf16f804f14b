import { EngineError } from '../../errors/index.ts';
import { type IgnoreMatcher, ignoreMatcher, parseIgnoreFile } from '../../lib/dockerignore/index.ts';
import { type ByteString, byteString, cleanPath, textOf } from '../../lib/tar/index.ts';
import { type Content, chunksOf, resolveEntry, type SourceTree, type TreeEntry } from './source-tree.ts';
import type { Spool, SpooledEntry } from './spool.ts';

const defaultDockerfile = 'Dockerfile';
/** A content up to this size is read without waiting: it is in the page cache, just written. */
const atOnce = 1 << 20;

/** A spooled archive as a tree to copy from. */
export class ContextTree implements SourceTree {
  readonly ownedByRoot = true;
  readonly #spool: Spool;
  readonly #entries = new Map<ByteString, SpooledEntry>();
  readonly #children = new Map<ByteString, Map<ByteString, SpooledEntry>>();

  /** `ignored` entries are left out; directories they leave without an entry of their own are made up. */
  constructor(spool: Spool, ignored: (path: string) => boolean = () => false) {
    this.#spool = spool;
    this.#add(directoryEntry('' as ByteString, spool.entries.get('' as ByteString)?.mtimeNs ?? 0n));
    for (const [path, entry] of spool.entries) if (path === '' || !ignored(textOf(path))) this.#add(entry);
  }

  async stat(path: ByteString): Promise<SpooledEntry | undefined> {
    return this.#entries.get(path);
  }

  async children(path: ByteString): Promise<readonly TreeEntry[]> {
    return [...(this.#children.get(path)?.values() ?? [])].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async digest(entry: TreeEntry): Promise<string> {
    return this.#spooled(entry).contentDigest;
  }

  read(entry: TreeEntry): Content {
    const { offset, size } = this.#spooled(entry);
    if (size <= atOnce) return { type: 'region', fd: this.#spool.file.fd, offset, size };
    return readParts(this.#spool, offset, size);
  }

  #spooled(entry: TreeEntry): SpooledEntry {
    if (isSpooled(entry)) return entry;
    throw new EngineError('internal', `${entry.path} is not in the context`);
  }

  #add(entry: SpooledEntry): void {
    const { path } = entry;
    this.#entries.set(path, entry);
    if (path === '') return;
    const parent = path.slice(0, Math.max(path.lastIndexOf('/'), 0)) as ByteString;
    if (!this.#entries.has(parent)) this.#add(directoryEntry(parent, entry.mtimeNs));
    const siblings = this.#children.get(parent);
    if (siblings === undefined) this.#children.set(parent, new Map([[path, entry]]));
    else siblings.set(path, entry);
  }
}

function isSpooled(entry: TreeEntry): entry is SpooledEntry {
  return 'contentDigest' in entry;
}

/** What of a context decides how it is read. */
export interface ContextFiles {
  /** Text of the Dockerfile. */
  readonly dockerfile: string;
  readonly tree: ContextTree;
}

/**
 * Reads Dockerfile and ignore file of a spooled context. What `.dockerignore` names is there if it was sent.
 * Rejects with `invalidArgument` "Cannot locate specified Dockerfile: x", and for an ignore file with bad syntax.
 */
export async function openContext(spool: Spool, dockerfilePath: string): Promise<ContextFiles> {
  const whole = new ContextTree(spool);
  const textAt = async (path: string) => {
    const entry = await resolveEntry(whole, pathInside(path));
    return entry?.type === 'file' ? wholeText(whole.read(entry)) : undefined;
  };
  let name = dockerfilePath;
  let dockerfile = await textAt(name);
  if (dockerfile === undefined && name === defaultDockerfile) {
    name = name.toLowerCase();
    dockerfile = await textAt(name);
  }
  if (dockerfile === undefined) {
    throw new EngineError('invalidArgument', `Cannot locate specified Dockerfile: ${dockerfilePath}`);
  }
  // That of one Dockerfile is not known to docker's CLI, so it is applied here.
  const own = await textAt(`${dockerfilePath}.dockerignore`);
  if (own !== undefined) return { dockerfile, tree: new ContextTree(spool, matcherOf(own)) };
  const common = await textAt('.dockerignore');
  if (common === undefined) return { dockerfile, tree: whole };
  // The client has applied it, but to the two files that it sends in any case.
  const matches = matcherOf(common);
  const sentAnyway = new Set(['.dockerignore', textOf(pathInside(name))]);
  return { dockerfile, tree: new ContextTree(spool, (path) => sentAnyway.has(path) && matches(path)) };
}

/** Throws `invalidArgument` for a path that leaves the context. */
function pathInside(path: string): ByteString {
  const clean = cleanPath(byteString(path));
  if (clean !== undefined) return clean;
  throw new EngineError('invalidArgument', `forbidden path outside the build context: ${path} ()`);
}

function matcherOf(ignoreFile: string): IgnoreMatcher {
  return ignoreMatcher(parseIgnoreFile(ignoreFile));
}

async function wholeText(content: Content): Promise<string> {
  return Buffer.concat(await Array.fromAsync(chunksOf(content))).toString('utf8');
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
