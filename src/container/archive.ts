import type { Readable } from 'node:stream';
import type { PathStat } from '../api/index.ts';
import { EngineError, hasErrno } from '../errors/index.ts';
import { archivePath, type Layers, type Snapshotter, statPath, unpackInto } from '../snapshot/index.ts';
import type { Container, ContainerMount } from './record.ts';
import { userIn } from './specs.ts';
import type { ContainerStore } from './store.ts';

export interface ArchivesDeps {
  readonly store: ContainerStore;
  readonly storage: { readonly snapshots: Snapshotter; readonly layers: Layers };
}

/** A path as seen from a directory of the host that stands for the container's root, or for one of its mounts. */
interface Place {
  readonly root: string;
  readonly path: string;
  readonly readOnly: 'rootfs' | 'mount' | undefined;
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
    const place = await this.#place(container, path);
    return found({ name, path }, () => statPath(place.root, place.path));
  }

  async get({ container, name }: Named, path: string): Promise<{ stat: PathStat; tar: Readable }> {
    const place = await this.#place(container, path);
    const result = await found({ name, path }, () => ({
      stat: statPath(place.root, place.path),
      tar: archivePath(place.root, place.path),
    }));
    this.#deps.store.note(container, { action: 'archive-path' });
    return result;
  }

  async put({ container, name }: Named, request: PutRequest): Promise<void> {
    const place = await this.#place(container, request.path);
    const user = container.record.config.User;
    if (place.readOnly === 'rootfs')
      throw new EngineError('invalidArgument', 'container rootfs is marked read-only');
    if (place.readOnly === 'mount')
      throw new EngineError('invalidArgument', 'mounted volume is marked read-only');
    await found({ name, path: request.path }, () =>
      unpackInto(place, request.tar, {
        noOverwriteDirNonDir: request.noOverwriteDirNonDir,
        ...(request.copyUidGid && user !== '' ? { owner: userIn(place.root, user) } : {}),
      }),
    );
    this.#deps.store.note(container, { action: 'extract-to-dir' });
  }

  /** The merged tree without what is mounted in it. */
  async export(container: Container): Promise<Readable> {
    const { id } = container.record;
    const tar = this.#deps.storage.layers.packTree(await this.#deps.storage.snapshots.mount(id));
    this.#deps.store.note(container, { action: 'export' });
    return tar;
  }

  /**
   * Where to find a path: a running container is seen as its own processes see it; a stopped one through its tree
   * and, by the longest matching destination, its mounts.
   */
  async #place({ record, state }: Container, path: string): Promise<Place> {
    if (path === '') throw new EngineError('invalidArgument', 'bad parameter: path cannot be empty');
    const absolute = path.startsWith('/') ? path : `/${path}`;
    const mount = mountOf(absolute, record.mounts);
    const rootReadOnly = record.hostConfig.ReadonlyRootfs ? 'rootfs' : undefined;
    const readOnly = mount === undefined ? rootReadOnly : mount.RW ? undefined : 'mount';
    if (state.running && state.pid > 0) return { root: `/proc/${state.pid}/root`, path: absolute, readOnly };
    if (mount !== undefined && mount.Type !== 'tmpfs') {
      return { root: mount.Source, path: absolute.slice(mount.Destination.length) || '/', readOnly };
    }
    return { root: await this.#deps.storage.snapshots.mount(record.id), path: absolute, readOnly };
  }
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
