import { EngineError } from '../../errors/index.ts';
import { type ByteString, byteString, textOf } from '../../lib/tar/index.ts';
import { firstName, joinPath, type SourceTree, type TreeEntry } from '../context/source-tree.ts';
import type { Destination, NewDirectory } from './destination.ts';
import type { ModeChange } from './file-mode.ts';
import type { LayerEntry } from './layer-tar.ts';
import type { Owner } from './owner.ts';
import { type CopySource, walk } from './sources.ts';

const whiteoutPrefix = '.wh.';
const everyone = 0o755;

export interface CopyTarget {
  readonly destination: Destination;
  /** Absolute; a trailing slash says it is a directory. */
  readonly path: string;
  /** Given by --chown; else files of a context are root's, others keep theirs. */
  readonly owner?: Owner;
  readonly mode?: ModeChange;
  /** Time of directories that have to be made. */
  readonly mtimeNs: bigint;
}

/** The layer that copying gives. Rejects with `invalidArgument` in Docker's words, without "COPY failed". */
export async function* copyEntries(
  sources: readonly CopySource[],
  target: CopyTarget,
): AsyncGenerator<LayerEntry, void, undefined> {
  const { destination, path } = target;
  const real = await destination.resolve(byteString(path));
  const intoDirectory = path.endsWith('/') || (await destination.isDirectory(real));
  // Later sources win, and a layer names each path once.
  const files = new Map<ByteString, CopiedFile>();
  const directories = new Map<ByteString, LayerEntry>();
  const make = (entries: readonly LayerEntry[]) => {
    for (const entry of entries) directories.set(entry.header.path, entry);
  };
  for (const source of sources) {
    const base = source.keep === '' ? real : await destination.resolve(joinPath(real, source.keep));
    const fresh = freshDirectory(source, target);
    const names = new Map<string, ByteString>();
    const put = (entry: TreeEntry, at: ByteString) => {
      files.set(at, { entry, copy: copied(source.tree, entry, { at, target }), names });
    };
    if (source.entry.type !== 'directory') {
      const at = intoDirectory || source.keep !== '' ? joinPath(base, source.name) : base;
      make(await destination.directory(parentOf(at), fresh));
      put(source.entry, at);
      continue;
    }
    const likeSource = { ...fresh, mode: modeOf(source.entry, target), mtimeNs: source.entry.mtimeNs };
    make(await destination.directory(parentOf(base), fresh));
    make(await destination.directory(base, likeSource));
    await walk(source, async (entry, relative) => {
      const at = joinPath(base, relative);
      if (entry.type !== 'directory') {
        put(entry, at);
        return;
      }
      files.delete(at);
      const attributes = { mode: modeOf(entry, target), mtimeNs: entry.mtimeNs };
      make(await destination.merged(at, { ...attributes, owner: ownerOf(source.tree, entry, target) }));
    });
  }
  yield* directories.values();
  for (const [at, { entry, copy, names }] of files) {
    const first = firstName(names, entry, at);
    yield first === undefined ? copy : linked(copy, first);
  }
}

interface CopiedFile {
  readonly entry: TreeEntry;
  readonly copy: LayerEntry;
  /** Of hard links, the first names that stand in the layer: names of one source stay names of one file. */
  readonly names: Map<string, ByteString>;
}

function linked({ header }: LayerEntry, linkPath: ByteString): LayerEntry {
  // What hangs on the file was told with its first name.
  const { pax: _attributes, ...rest } = header;
  return { header: { ...rest, type: 'link', linkPath } };
}

function freshDirectory(source: CopySource, target: CopyTarget): NewDirectory {
  return {
    mode: everyone,
    owner:
      source.entry.type === 'directory'
        ? ownerOf(source.tree, source.entry, target)
        : (target.owner ?? { uid: 0, gid: 0 }),
    mtimeNs: target.mtimeNs,
  };
}

function copied(
  tree: SourceTree,
  entry: TreeEntry,
  { at, target }: { at: ByteString; target: CopyTarget },
): LayerEntry {
  if (at.slice(at.lastIndexOf('/') + 1).startsWith(whiteoutPrefix)) {
    throw new EngineError(
      'invalidArgument',
      `${JSON.stringify(textOf(at))}: a name that begins with .wh. cannot be in an image`,
    );
  }
  const header = {
    path: at,
    type: entry.type,
    mode: modeOf(entry, target),
    ...ownerOf(tree, entry, target),
    size: entry.size,
    mtimeNs: entry.mtimeNs,
    linkPath: entry.linkPath,
    deviceMajor: entry.deviceMajor,
    deviceMinor: entry.deviceMinor,
    pax: entry.attributes,
  };
  return entry.type === 'file' ? { header, content: () => tree.read(entry) } : { header };
}

function ownerOf(tree: SourceTree, entry: TreeEntry, target: CopyTarget): Owner {
  if (target.owner !== undefined) return target.owner;
  return tree.ownedByRoot ? { uid: 0, gid: 0 } : { uid: entry.uid, gid: entry.gid };
}

function modeOf(entry: TreeEntry, { mode }: CopyTarget): number {
  if (mode === undefined || entry.type === 'symlink') return entry.mode;
  return mode(entry.mode, entry.type === 'directory');
}

export function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0)) as ByteString;
}
