import { createHash, hash } from 'node:crypto';
import { EngineError } from '../../errors/index.ts';
import { globToRegExp, hasWildcard, ignoreMatcher } from '../../lib/dockerignore/index.ts';
import { type ByteString, byteString, cleanPath, textOf } from '../../lib/tar/index.ts';
import {
  firstName,
  joinPath,
  nameOf,
  resolveEntry,
  type SourceTree,
  type TreeEntry,
} from '../context/source-tree.ts';

/** A source of COPY or ADD, found: a file, or a directory whose content is meant. */
export interface CopySource {
  readonly tree: SourceTree;
  /** Symlinks followed. */
  readonly entry: TreeEntry;
  /** Name of the copy of a file. */
  readonly name: ByteString;
  /** With --parents: the directories to keep, relative to the destination. */
  readonly keep: ByteString;
  /** Of a directory: whether a path relative to it stays out. */
  readonly excluded: (path: string) => boolean;
  /** It came from a URL. */
  readonly isDownload: boolean;
}

export interface FindOptions {
  readonly parents: boolean;
  readonly exclude: readonly string[];
  /** A missing source of a context may have been ignored. */
  readonly isContext: boolean;
}

/** What the source words of COPY mean in a tree. Throws `invalidArgument` in Docker's words, without "COPY failed". */
export async function findSources(
  tree: SourceTree,
  words: readonly string[],
  options: FindOptions,
): Promise<CopySource[]> {
  const matches = ignoreMatcher(options.exclude);
  const sources: CopySource[] = [];
  for (const word of words) {
    const { pattern, pivot } = patternOf(word);
    const paths = hasWildcard(pattern) ? await glob(tree, pattern) : [byteString(pattern)];
    for (const path of paths) {
      const entry = await resolveEntry(tree, path);
      if (entry === undefined) throw missing(word, options.isContext);
      const kept = options.parents ? path.split('/').slice(pivot) : [];
      // --exclude is relative to the source, of a file to where it is; with --parents to what is kept.
      const above = textOf(kept.join('/'));
      if (entry.type !== 'directory' && matches(above === '' ? textOf(nameOf(path)) : above)) continue;
      sources.push({
        tree,
        entry,
        name: nameOf(path),
        keep: (entry.type === 'directory' ? kept : kept.slice(0, -1)).join('/') as ByteString,
        excluded: (below) => matches(above === '' ? below : `${above}/${below}`),
        isDownload: false,
      });
    }
  }
  return sources;
}

/** Takes the leading slash off; `a/./b` says that --parents keeps from b on. */
function patternOf(word: string): { pattern: string; pivot: number } {
  const before = word.split('/./')[0] ?? '';
  const pattern = cleanPath(byteString(word));
  if (pattern === undefined) {
    throw new EngineError('invalidArgument', `forbidden path outside the build context: ${word} ()`);
  }
  const pivot = word.includes('/./') ? (cleanPath(byteString(before)) ?? '').split('/').length : 0;
  return { pattern: textOf(pattern), pivot: before === '' ? 0 : pivot };
}

function missing(word: string, isContext: boolean): EngineError {
  const reason = `stat ${word.replace(/^\/+/, '')}: file does not exist`;
  return new EngineError(
    'notFound',
    isContext ? `file not found in build context or excluded by .dockerignore: ${reason}` : reason,
  );
}

async function glob(tree: SourceTree, pattern: string): Promise<ByteString[]> {
  const parts = pattern.split('/');
  let found: ByteString[] = ['' as ByteString];
  for (const part of parts) {
    const matcher = globToRegExp(part);
    const next: ByteString[] = [];
    for (const parent of found) {
      const entry = await resolveEntry(tree, parent);
      if (entry?.type !== 'directory') continue;
      if (!hasWildcard(part)) {
        const path = joinPath(parent, byteString(part.replaceAll(/\\([^])/g, '$1')));
        if ((await resolveEntry(tree, path)) !== undefined) next.push(path);
        continue;
      }
      for (const child of await tree.children(entry.path)) {
        const name = nameOf(child.path);
        if (matcher.test(textOf(name))) next.push(joinPath(parent, name));
      }
    }
    found = next;
  }
  return found;
}

/** Calls `visit` for everything below a directory, parents first, each level sorted; excluded entries are left out. */
export async function walk(
  source: CopySource,
  visit: (entry: TreeEntry, relative: ByteString) => void | Promise<void>,
): Promise<void> {
  const { tree, excluded } = source;
  const into = async (directory: ByteString, relative: ByteString): Promise<void> => {
    for (const entry of await tree.children(directory)) {
      const below = joinPath(relative, nameOf(entry.path));
      if (!excluded(textOf(below))) await visit(entry, below);
      if (entry.type === 'directory') await into(entry.path, below);
    }
  };
  await into(source.entry.path, '' as ByteString);
}

/** Most files whose digests a cache record names one by one. */
const mostNamed = 500;

export interface SourceDigest {
  readonly digest: string;
  readonly kind: 'file' | 'dir';
  /** Named parts of the digest: files, or directories when there are many. */
  readonly parts: ReadonlyMap<string, string>;
}

/** Digest of all that a source would copy: names, content and attributes, not times. */
export async function digestOfSource(source: CopySource): Promise<SourceDigest> {
  const { entry } = source;
  if (entry.type !== 'directory') {
    const digest = await digestOfEntry(source, entry);
    return { digest, kind: 'file', parts: new Map([[textOf(entry.path), digest]]) };
  }
  const whole = createHash('sha256');
  const files = new Map<string, string>();
  const names = new Map<string, ByteString>();
  whole.update(await digestOfEntry(source, entry));
  await walk(source, async (child, relative) => {
    const digest = await digestOfEntry(source, child);
    const link = firstName(names, child, relative);
    whole.update(`${relative}\0${digest}${link === undefined ? '' : `\0${link}`}\n`, 'latin1');
    files.set(textOf(child.path), digest);
  });
  const parts = files.size > mostNamed ? byDirectory(files) : files;
  return { digest: whole.digest('hex'), kind: 'dir', parts };
}

function byDirectory(files: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const directories = new Map<string, string[]>();
  for (const [path, digest] of files) {
    const directory = path.slice(0, path.lastIndexOf('/') + 1);
    const list = directories.get(directory);
    if (list === undefined) directories.set(directory, [path, digest]);
    else list.push(path, digest);
  }
  return new Map([...directories].map(([path, list]) => [path, hash('sha256', list.join('\0'), 'hex')]));
}

async function digestOfEntry({ tree }: CopySource, entry: TreeEntry): Promise<string> {
  const content = entry.type === 'file' ? await tree.digest(entry) : '';
  const { type, mode, linkPath, deviceMajor, deviceMinor, attributes } = entry;
  const owner = tree.ownedByRoot ? '' : `${entry.uid}:${entry.gid}`;
  const fields = [type, mode, owner, linkPath, deviceMajor, deviceMinor, content, ...[...attributes].flat()];
  return hash('sha256', fields.join('\0'), 'hex');
}
