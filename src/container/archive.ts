import { relative } from 'node:path';
import type { Readable } from 'node:stream';
import type { PathStat } from '../api/index.ts';
import { EngineError, hasErrno } from '../errors/index.ts';
import { decompress } from '../lib/decompress.ts';
import { resolveInRoot } from '../lib/root-path.ts';
import { archivePath, type Layers, type Snapshotter, statPath, unpackInto } from '../snapshot/index.ts';
import { type FileView, type FileViewDeps, openFileView } from './file-view.ts';
import type { Container, ContainerMount } from './record.ts';
import type { ContainerStore } from './store.ts';
import { userIn } from './user-in.ts';

export interface ArchivesDeps {
  readonly store: ContainerStore;
  readonly storage: FileViewDeps['storage'] & { readonly snapshots: Snapshotter; readonly layers: Layers };
  /** Of containers, by id. */
  readonly locks: FileViewDeps['locks'];
}

/** A container, and the word the client named it by (which Docker's errors repeat). */
export interface Named {
  readonly container: Container;
  readonly name: string;
}

export interface PutRequest {
  readonly path: string;
  /** Plain or compressed. */
  readonly tar: Readable;
  readonly noOverwriteDirNonDir: boolean;
  /** What arrives belongs to the container's user instead of the numbers in the tar. */
  readonly copyUidGid: boolean;
}

/** Files in and out of containers, running or not; no path leads out of the container. */
export class Archives {
  readonly #deps: ArchivesDeps;

  constructor(deps: ArchivesDeps) {
    this.#deps = deps;
  }

  async stat({ container, name }: Named, path: string): Promise<PathStat> {
    await using view = await this.#view(container, path);
    return await found({ name, path }, () => statPath(view.root, path));
  }

  async get({ container, name }: Named, path: string): Promise<{ stat: PathStat; tar: Readable }> {
    await using making = new AsyncDisposableStack();
    const view = making.use(await this.#view(container, path));
    const result = await found({ name, path }, () => ({
      stat: statPath(view.root, path),
      tar: archivePath(view.root, path),
    }));
    const held = making.move();
    // Nobody is left to tell of an error, and what a view holds ends with the engine at the latest.
    result.tar.once('close', () => void held.disposeAsync().catch(() => undefined));
    this.#note(container, 'archive-path', result.tar);
    return result;
  }

  async put({ container: { record }, name }: Named, { path, tar, ...options }: PutRequest): Promise<void> {
    // A client may take minutes for its first bytes, and the container start or stop meanwhile.
    const { stream } = await decompress(tar);
    const container = this.#deps.store.current(record.id);
    await using view = await this.#view(container, path);
    const user = container.record.config.User;
    await found({ name, path }, async () => {
      assertWritable(container, `/${relative(view.root, resolveInRoot(view.root, path))}`);
      await unpackInto({ root: view.root, path }, stream, {
        noOverwriteDirNonDir: options.noOverwriteDirNonDir,
        ...(options.copyUidGid && user !== '' ? { owner: userIn(view.root, user) } : {}),
      });
    });
    this.#deps.store.note(container, { action: 'extract-to-dir' });
  }

  /** The merged tree without what is mounted in it. */
  async export(container: Container): Promise<Readable> {
    const tar = await this.#deps.storage.layers.packTree(container.record.id);
    this.#note(container, 'export', tar);
    return tar;
  }

  /** What the stream holds goes with it, also if a full disk does not take the event. */
  #note(container: Container, action: string, tar: Readable): void {
    try {
      this.#deps.store.note(container, { action });
    } catch (error) {
      tar.destroy();
      throw error;
    }
  }

  async #view(container: Container, path: string): Promise<FileView> {
    if (path === '') throw new EngineError('invalidArgument', 'bad parameter: path cannot be empty');
    return openFileView(container.record.id, this.#deps);
  }
}

/** Docker's own check, by names; what is mounted read-only refuses anyway. [moby daemon/archive_unix.go] */
function assertWritable({ record }: Container, path: string): void {
  const mount = mountOf(path, record.mounts);
  if (mount?.RW === false) throw new EngineError('invalidArgument', 'mounted volume is marked read-only');
  if (mount === undefined && record.hostConfig.ReadonlyRootfs)
    throw new EngineError('invalidArgument', 'container rootfs is marked read-only');
}

function mountOf(path: string, mounts: readonly ContainerMount[]): ContainerMount | undefined {
  return mounts
    .filter(({ Destination }) => path === Destination || path.startsWith(`${Destination}/`))
    .sort((a, b) => b.Destination.length - a.Destination.length)[0];
}

async function found<T>(what: { name: string; path: string }, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'ENOTDIR')) throw error;
    const text = `Could not find the file ${what.path} in container ${what.name}`;
    throw new EngineError('notFound', text, { cause: error });
  }
}
