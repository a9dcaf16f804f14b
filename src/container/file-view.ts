import { existsSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, hasErrno } from '../errors/index.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import { MountNamespace } from '../lib/mount-namespace.ts';
import { makeInRoot, openPath } from '../lib/open-in-root.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { Volumes } from '../volume/index.ts';
import { openMountSource } from './mount-source.ts';
import { type Container, type ContainerMount, type ContainerRecord, volumesOf, zeroTime } from './record.ts';
import { depthOf } from './spec/index.ts';
import type { ContainerStore } from './store.ts';

/** A container's files as its processes see them, or would if it ran, until disposed: also if it is removed meanwhile. */
export interface FileView extends AsyncDisposable {
  /** The directory of the host that is the container's root. */
  readonly root: string;
}

export interface FileViewDeps {
  readonly store: Pick<ContainerStore, 'current'>;
  readonly storage: {
    readonly snapshots: Pick<Snapshotter, 'mount' | 'hold' | 'view'>;
    readonly volumes: Volumes;
    /** ROOT/containers. */
    readonly directory: string;
  };
  /** Held while a view is made: a start at that moment would mount and unmount the same volumes. */
  readonly locks: KeyedLock;
}

/**
 * A running container is seen through its own mount namespace. One that does not run gets its tree and all its mounts
 * in a namespace of the view's own, so that a client that copies slowly holds up nobody. tmpfs mounts are left out:
 * nothing in them outlives a run.
 */
export async function openFileView(id: string, deps: FileViewDeps): Promise<FileView> {
  await using opening = new AsyncDisposableStack();
  opening.use(deps.storage.snapshots.hold(id));
  const { root } = opening.use(viewOfRunning(deps.store.current(id)) ?? (await viewUnderLock(id, deps)));
  const opened = opening.move();
  return { root, [Symbol.asyncDispose]: async () => opened.disposeAsync() };
}

async function viewUnderLock(id: string, deps: FileViewDeps): Promise<FileView> {
  using _held = await deps.locks.acquire(id);
  const current = deps.store.current(id);
  return viewOfRunning(current) ?? (await viewOfStopped(current, deps));
}

/** Its root and its mounts are held: its number may be another process's before the view is disposed. */
function viewOfRunning({ state }: Container): FileView | undefined {
  if (!state.running || state.pid === 0) return undefined;
  try {
    using opening = new DisposableStack();
    const root = opening.use(openPath(`/proc/${state.pid}/root`));
    opening.use(openPath(`/proc/${state.pid}/ns/mnt`));
    const opened = opening.move();
    return { root: root.path, [Symbol.asyncDispose]: async () => opened.dispose() };
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    // It has ended and its exit is not recorded yet.
    return undefined;
  }
}

async function viewOfStopped({ record, state }: Container, { storage }: FileViewDeps): Promise<FileView> {
  const tree = await storage.snapshots.mount(record.id);
  if (state.startedAt === zeroTime) makeWorkingDirectory(tree, record.config.WorkingDir);
  const mounts = [...record.mounts, ...engineFiles(record, storage.directory)]
    .filter(({ Type }) => Type !== 'tmpfs')
    .sort((a, b) => depthOf(a.Destination) - depthOf(b.Destination));
  if (mounts.length === 0) return { root: tree, [Symbol.asyncDispose]: async () => undefined };
  // The namespace is a copy of ours, so what it is to bind must be there first; it keeps what it has bound.
  await using sources = new AsyncDisposableStack();
  const binds: { readonly source: string; readonly mount: ContainerMount }[] = [];
  const { volumes, snapshots } = storage;
  for (const mount of mounts) {
    const [volume] = volumesOf([mount]);
    if (volume !== undefined) sources.defer(async () => volumes.unmount(volume, record.id));
    const context = { containerId: record.id, volumes, snapshots, parts: sources };
    binds.push({ source: await openMountSource(mount, context), mount });
  }
  await using making = new AsyncDisposableStack();
  const namespace = making.use(await MountNamespace.open());
  const root = namespace.root + tree;
  for (const { source, mount } of binds) {
    // Anew each time: a mount may lie in one that has just been made.
    using top = openPath(root);
    using target = makeInRoot(top, mount.Destination, kindOf(source));
    // The path of what was opened, as the namespace names it: no link leads on from it.
    const bind = { source, target: readlinkSync(target.path), readOnly: !mount.RW };
    await namespace.bind({ ...bind, recursive: mount.nonRecursive !== true });
  }
  const made = making.move();
  return { root, [Symbol.asyncDispose]: async () => made.disposeAsync() };
}

/** As Docker does for a new container. A start has the runtime make it, or says what stands in the way. */
function makeWorkingDirectory(tree: string, path: string): void {
  if (path === '') return;
  using root = openPath(tree);
  try {
    makeInRoot(root, path, 'directory')[Symbol.dispose]();
  } catch (error) {
    if (!hasErrno(error, 'ENOTDIR')) throw error;
  }
}

/** What the engine wrote for the last run, unless the user mounts something else there. */
function engineFiles({ id, mounts }: ContainerRecord, directory: string): ContainerMount[] {
  return ['hosts', 'hostname', 'resolv.conf']
    .map((name) => ({ Source: join(directory, id, name), Destination: `/etc/${name}` }))
    .filter(({ Source, Destination }) => {
      return existsSync(Source) && !mounts.some((mount) => mount.Destination === Destination);
    })
    .map((file) => ({ ...file, Type: 'bind', Mode: '', RW: true, Propagation: '' }));
}

function kindOf(source: string): 'directory' | 'file' {
  try {
    return statSync(source).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    throw new EngineError('invalidArgument', `bind source path does not exist: ${source}`, { cause: error });
  }
}
