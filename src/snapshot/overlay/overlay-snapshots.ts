import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { FilesystemChange } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { KeyedLock } from '../../lib/keyed-lock.ts';
import { unmount, unmountAside } from '../../lib/native.ts';
import { type OpenFile, openPath } from '../../lib/open-in-root.ts';
import type { Metadata } from '../../metadata/index.ts';
import type { ChainId } from '../../oci/index.ts';
import { compareTrees } from '../compare/compare-trees.ts';
import type {
  CommittedSnapshot,
  Comparison,
  SnapshotPaths,
  Snapshotter,
  TreeChange,
  Usage,
} from '../snapshotter.ts';
import { treeUsage } from '../tree-usage.ts';
import { listChanges } from './changes.ts';
import { currentBoot, Durability } from './durability.ts';
import { ViewedLayers } from './in-use.ts';
import { InitLayers } from './init-layers.ts';
import { type Layout, openLayout, reserved } from './layout.ts';
import { makeRoot } from './make-root.ts';
import { mountOverlay } from './mount-overlay.ts';
import { isolate, openView, type View, withMounted } from './private-mounts.ts';
import { probeOverlay } from './probe.ts';
import { recover } from './recover.ts';
import { SnapshotRows } from './rows.ts';
import { openTable, type SnapshotRow, type SnapshotTable } from './table.ts';
import { Trash } from './trash.ts';

/** A new tree being filled; it becomes a committed snapshot or is dropped. */
export interface LayerTree {
  readonly id: string;
  /** Absolute path of the empty directory to fill, in overlay's form. */
  readonly root: string;
}

/** Snapshots on kernel overlayfs under one directory, which it owns. */
export class OverlaySnapshots implements Snapshotter, AsyncDisposable {
  readonly #layout: Layout;
  readonly #metadata: Metadata;
  readonly #table: SnapshotTable;
  readonly #rows: SnapshotRows;
  readonly #trash: Trash;
  readonly #durability: Durability;
  readonly #boot = currentBoot();
  readonly #locks = new KeyedLock();
  /** Root by key. */
  readonly #mounted = new Map<string, string>();
  readonly #viewed = new ViewedLayers();
  readonly #initLayers: InitLayers;
  #ownMount = false;

  constructor(root: string, metadata: Metadata) {
    this.#layout = openLayout(root);
    this.#initLayers = new InitLayers(this.#layout, this.#boot);
    this.#metadata = metadata;
    this.#table = openTable(metadata.db);
    this.#trash = new Trash(this.#layout.trash);
    this.#durability = new Durability({ root, metadata, table: this.#table, boot: this.#boot });
    this.#rows = new SnapshotRows({ metadata, table: this.#table, layout: this.#layout, trash: this.#trash });
    if (this.#table.unsynced().length > 0) this.#durability.later();
    const mounted = recover(this.#layout, this.#table, this.#trash);
    for (const row of this.#table.all()) {
      if (mounted.has(row.directory)) this.#mounted.set(row.name, this.#layout.merged(row.directory));
      else if (row.kind === 'active') this.#completeDirectory(row);
    }
    this.#ownMount = isolate(root);
  }

  /** Throws `unavailable`, with what to do, where no overlay can be mounted. */
  probe(): void {
    probeOverlay(this.#layout);
  }

  async prepare(
    key: string,
    parent?: ChainId,
    options: { readonly initLayer?: boolean } = {},
  ): Promise<void> {
    using _held = await this.#locks.acquire(key);
    if (this.#table.get(key) !== undefined) {
      throw new EngineError('conflict', `Snapshot ${JSON.stringify(key)} already exists`);
    }
    const lowers = this.#rows.lowers(parent);
    const init = options.initLayer === true ? await this.#initLayers.make(parent, lowers) : undefined;
    const directory = this.#layout.create();
    try {
      this.#fillDirectory(directory, init ?? this.#topOf(lowers));
      this.#rows.insert({
        name: key,
        kind: 'active',
        directory,
        parent: parent ?? null,
        init_layer: init === undefined ? 0 : 1,
        bytes: 0,
        inodes: 0,
        unsynced_boot: null,
      });
    } catch (error) {
      rmSync(this.#layout.directory(directory), { recursive: true, force: true });
      throw error;
    }
  }

  async mount(key: string, options: { readonly volatile?: boolean } = {}): Promise<string> {
    using _held = await this.#locks.acquire(key);
    return await this.#mount(key, options);
  }

  async #mount(key: string, { volatile = false }: { readonly volatile?: boolean } = {}): Promise<string> {
    const present = this.#mounted.get(key);
    if (present !== undefined) return present;
    const row = this.#rows.active(key);
    const layout = this.#layout;
    const target = layout.merged(row.directory);
    const lowers = this.#rows.lowers(row.parent ?? undefined);
    const init =
      row.init_layer === 1 ? await this.#initLayers.make(row.parent ?? undefined, lowers) : undefined;
    const upper = { upper: layout.upper(row.directory), work: layout.work(row.directory) };
    mountOverlay(layout, { lowers, upper, volatile, target, ...(init === undefined ? {} : { init }) });
    this.#mounted.set(key, target);
    return target;
  }

  /** The mounted root directory of an active snapshot, whole until disposed: unmounted or removed, it goes only then. */
  async openMounted(key: string): Promise<OpenFile> {
    using _held = await this.#locks.acquire(key);
    using opening = new DisposableStack();
    opening.use(this.hold(key));
    const root = opening.use(openPath(await this.#mount(key)));
    const held = opening.move();
    return { ...root, [Symbol.dispose]: () => held.dispose() };
  }

  mountedAt(key: string): string | undefined {
    return this.#mounted.get(key);
  }

  async unmount(key: string): Promise<void> {
    using _held = await this.#locks.acquire(key);
    await this.#unmount(key);
  }

  async view(name: ChainId, signal?: AbortSignal): Promise<View> {
    signal?.throwIfAborted();
    const lowers = this.#rows.lowers(name);
    return this.#viewed.track(lowers, openView(this.#layout, { lowers }));
  }

  hold(key: string): Disposable {
    const { directory, parent } = this.#rows.active(key);
    using holds = new DisposableStack();
    for (const name of [directory, ...this.#rows.chain(parent ?? undefined)])
      holds.use(this.#trash.hold(this.#layout.directory(name)));
    return holds.move();
  }

  paths(key: string): SnapshotPaths {
    const row = this.#rows.active(key);
    const lowers = this.#rows.chain(row.parent ?? undefined).map((id) => this.#layout.fs(id));
    if (row.init_layer === 1) lowers.unshift(this.#initLayers.path(row.parent ?? undefined));
    return {
      ...(lowers.length === 0 ? {} : { LowerDir: lowers.join(':') }),
      UpperDir: this.#layout.upper(row.directory),
      WorkDir: this.#layout.work(row.directory),
      MergedDir: this.#layout.merged(row.directory),
    };
  }

  async commit(key: string, name: ChainId, options: { readonly usage?: Usage } = {}): Promise<void> {
    using _held = await this.#locks.acquire(key);
    // Two keys may become the same layer. Who holds a name asks for no key.
    using _named = await this.#locks.acquire(name);
    const row = this.#rows.active(key);
    await this.#unmount(key);
    if (this.stat(name) !== undefined) {
      this.#removeRow(row);
      return;
    }
    const upper = this.#layout.upper(row.directory);
    const { bytes, inodes } = options.usage ?? (await treeUsage(upper));
    renameSync(upper, this.#layout.fs(row.directory));
    this.#layout.link(row.directory);
    const committed = { ...row, name, kind: 'committed', init_layer: 0, bytes, inodes } as const;
    this.#rows.commit(key, { ...committed, unsynced_boot: this.#boot });
    this.#durability.later();
    rmSync(this.#layout.work(row.directory), { recursive: true, force: true });
    rmdirSync(this.#layout.merged(row.directory));
  }

  stat(name: ChainId): CommittedSnapshot | undefined {
    const row = this.#rows.whole(name);
    return row === undefined ? undefined : committed(row);
  }

  async usage(key: string): Promise<Usage> {
    const { bytes, inodes } = await treeUsage(this.#layout.upper(this.#rows.active(key).directory));
    return { bytes, inodes };
  }

  async remove(keyOrName: string): Promise<void> {
    using _held = await this.#locks.acquire(keyOrName);
    const row = this.#table.get(keyOrName);
    if (row === undefined) return;
    const conflict = () => {
      if (this.#table.childCount(keyOrName) === 0) return;
      throw new EngineError('conflict', `Snapshot ${keyOrName} is the parent of another`);
    };
    conflict();
    await this.#unmount(keyOrName);
    this.#removeRow(row, conflict);
  }

  async changes(key: string, signal?: AbortSignal): Promise<FilesystemChange[]> {
    const row = this.#rows.active(key);
    await using lower = await this.lowerView(key);
    return await listChanges(this.#layout.upper(row.directory), lower?.root, signal);
  }

  compare(comparison: Comparison): Promise<TreeChange[]> {
    return compareTrees(comparison);
  }

  async layerChanges(name: ChainId, signal?: AbortSignal): Promise<TreeChange[]> {
    await using after = await this.view(name, signal);
    const row = this.#table.get(name);
    await using before = row?.parent === null || row === undefined ? undefined : await this.view(row.parent);
    const layer = this.#layout.fs(row?.directory ?? '');
    const trees = { before: before?.root, after: after.root, layer };
    return await compareTrees({ ...trees, ...(signal === undefined ? {} : { signal }) });
  }

  list(): { readonly active: readonly string[]; readonly committed: readonly CommittedSnapshot[] } {
    const rows = this.#table.all();
    return {
      active: rows.filter((row) => row.kind === 'active').map((row) => row.name),
      committed: rows.filter((row) => row.kind === 'committed').map(committed),
    };
  }

  /** What an active snapshot stands on, read-only, init layer included; `undefined` if it stands on nothing. */
  async lowerView(key: string): Promise<View | undefined> {
    const row = this.#rows.active(key);
    const parent = row.parent ?? undefined;
    const lowers = this.#rows.lowers(parent);
    if (row.init_layer === 1) {
      const init = await this.#initLayers.make(parent, lowers);
      return this.#viewed.track(lowers, openView(this.#layout, { lowers, init }));
    }
    return lowers.length === 0 ? undefined : this.#viewed.track(lowers, openView(this.#layout, { lowers }));
  }

  /** A new empty tree for a layer. The caller commits or drops it. */
  createTree(): LayerTree {
    const id = this.#layout.create();
    const root = this.#layout.fs(id);
    makeRoot(root, undefined);
    return { id, root };
  }

  /** Gives a tree's root directory the mode and owner of the layer it is going to stand on. */
  resemble(tree: LayerTree, parent: ChainId): void {
    makeRoot(tree.root, this.#topOf(this.#rows.lowers(parent)));
  }

  /** Runs `change` in the tree mounted writable on top of `parent`, so that the kernel copies up what it touches. */
  async withTreeMounted(
    tree: LayerTree,
    parent: ChainId,
    change: (root: string) => Promise<void>,
  ): Promise<void> {
    const upper = { upper: tree.root, work: this.#layout.work(tree.id) };
    await withMounted(this.#layout, { lowers: this.#rows.lowers(parent), upper }, change);
  }

  async commitTree(tree: LayerTree, snapshot: CommittedSnapshot): Promise<void> {
    const { name, parent = null, usage } = snapshot;
    using _held = await this.#locks.acquire(name);
    if (this.stat(name) !== undefined) {
      this.dropTree(tree);
      return;
    }
    this.#layout.link(tree.id);
    this.#rows.insert({
      name,
      kind: 'committed',
      directory: tree.id,
      parent,
      init_layer: 0,
      ...usage,
      unsynced_boot: this.#boot,
    });
    this.#durability.later();
  }

  /** The tree of a committed layer, and what it stands on. `notFound` if it is not there. */
  layerTree(name: ChainId): { readonly root: string; readonly parent: ChainId | undefined } {
    const row = this.#rows.committed(name);
    return { root: this.#layout.fs(row.directory), parent: row.parent ?? undefined };
  }

  /** Puts a new tree in the place of a committed layer's. `conflict` while something stands on the old one. */
  async replaceTree(tree: LayerTree, name: ChainId, usage: Usage): Promise<void> {
    using _held = await this.#locks.acquire(name);
    const row = this.#rows.committed(name);
    const mounted = [...this.#mounted.keys()].find((key) =>
      this.#rows.chain(this.#table.get(key)?.parent ?? undefined).includes(row.directory),
    );
    if (mounted !== undefined || this.#viewed.has(row.directory)) {
      const who = mounted === undefined ? 'an operation' : `container ${mounted.slice(0, 12)}`;
      throw new EngineError('conflict', `layer ${name} is in use by ${who}`);
    }
    this.#layout.link(tree.id);
    this.#metadata.transact(() => {
      this.#table.replace({ ...row, directory: tree.id, ...usage, unsynced_boot: this.#boot });
    });
    rmSync(join(this.#layout.links, row.directory), { force: true });
    this.#trash.discard(this.#layout.directory(row.directory));
    this.#durability.later();
  }

  strays({ remove }: { readonly remove: boolean }): string[] {
    const known = new Set<string>([...reserved, ...this.#table.all().map(({ directory }) => directory)]);
    const names = readdirSync(this.#layout.root);
    // What this process made and has no row yet is being filled, and what is held goes when that ends.
    const isInUse = (name: string) =>
      this.#layout.made.has(name) || this.#trash.isLeaving(this.#layout.directory(name));
    const strays = names.filter((name) => !known.has(name) && !isInUse(name));
    if (remove) for (const name of strays) this.#trash.discard(this.#layout.directory(name));
    return strays;
  }

  dropTree(tree: LayerTree): void {
    this.#trash.discard(this.#layout.directory(tree.id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#durability[Symbol.asyncDispose]();
    await this.#trash[Symbol.asyncDispose]();
    // Mounts of running containers stay, and with them what they are mounted in.
    if (this.#ownMount && this.#mounted.size === 0) unmount(this.#layout.root);
    this.#ownMount = false;
  }

  #topOf(lowers: readonly string[]): string | undefined {
    return lowers[0] === undefined ? undefined : this.#layout.fs(lowers[0]);
  }

  /** The making of its directories was not synced: after a power loss only the row of an active tree may be left. */
  #completeDirectory({ directory, parent }: SnapshotRow): void {
    const layout = this.#layout;
    const parts = [layout.upper(directory), layout.work(directory), layout.merged(directory)];
    if (parts.every((path) => existsSync(path))) return;
    const below = parent === null ? undefined : this.#topOf(this.#rows.chain(parent));
    this.#fillDirectory(directory, below !== undefined && existsSync(below) ? below : undefined);
  }

  #fillDirectory(directory: string, like: string | undefined): void {
    const layout = this.#layout;
    mkdirSync(layout.directory(directory), { recursive: true, mode: 0o710 });
    if (!existsSync(layout.upper(directory))) makeRoot(layout.upper(directory), like);
    mkdirSync(layout.work(directory), { recursive: true, mode: 0o700 });
    mkdirSync(layout.merged(directory), { recursive: true, mode: 0o700 });
  }

  async #unmount(key: string): Promise<void> {
    const target = this.#mounted.get(key);
    if (target === undefined) return;
    await unmountAside(target);
    this.#mounted.delete(key);
  }

  #removeRow(row: SnapshotRow, check?: () => void): void {
    this.#rows.delete(row, check);
    if (row.kind === 'committed') {
      unlinkSync(join(this.#layout.links, row.directory));
      this.#trash.discard(this.#initLayers.directory(row.name as ChainId));
    }
    this.#trash.discard(this.#layout.directory(row.directory));
  }
}

function committed(row: SnapshotRow): CommittedSnapshot {
  return {
    name: row.name as ChainId,
    ...(row.parent === null ? {} : { parent: row.parent }),
    usage: { bytes: row.bytes, inodes: row.inodes },
  };
}
