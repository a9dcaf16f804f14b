import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Filters, Volume } from '../api/index.ts';
import type { EngineConfig } from '../config/index.ts';
import { EngineError, isCode } from '../errors/index.ts';
import { randomId } from '../lib/ids.ts';
import { KeyedLock } from '../lib/keyed-lock.ts';
import { Measurements } from '../lib/measurements.ts';
import { unmountBelow } from '../lib/mount-info.ts';
import { booleanFilter } from '../lib/object-filters.ts';
import { OnePrune } from '../lib/one-prune.ts';
import type { Metadata } from '../metadata/index.ts';
import { treeUsage } from '../snapshot/index.ts';
import { checkDriverOptions, mountOptions, unmountOptions } from './driver-options.ts';
import { matches } from './filters.ts';
import { isPart, openPart } from './part.ts';
import { bury, recoverDirectories } from './recover.ts';
import { type VolumeRow, VolumeRows } from './rows.ts';
import { isDirectory, seedVolume } from './seed.ts';
import type { CreateVolume, FillVolume, MountedAt, RemoveVolume, VolumePart, Volumes } from './volumes.ts';

export interface VolumesOptions {
  readonly config: EngineConfig;
  readonly metadata: Metadata;
  /** Told what went wrong while something else goes on. */
  readonly onWarning?: (message: string, error: unknown) => void;
}

/** The local driver: volumes as directories `ROOT/volumes/NAME/_data`. */
export function createVolumes(options: VolumesOptions): Volumes {
  return new LocalVolumes(options);
}

const anonymousLabel = 'com.docker.volume.anonymous';

class LocalVolumes implements Volumes {
  readonly #root: string;
  readonly #rows: VolumeRows;
  readonly #locks = new KeyedLock();
  readonly #measured = new Measurements();
  readonly #onePrune = new OnePrune();
  readonly #warn: (message: string, error: unknown) => void;
  /** Containers that have a volume mounted. */
  readonly #mounted = new Map<string, Set<string>>();

  constructor({ config, metadata, onWarning = () => undefined }: VolumesOptions) {
    this.#root = join(config.root, 'volumes');
    this.#rows = new VolumeRows(metadata);
    this.#warn = onWarning;
  }

  async create(request: CreateVolume): Promise<Volume> {
    const isNamed = request.Name !== undefined && request.Name !== '';
    const name = isNamed ? (request.Name ?? '') : randomId();
    const anonymous = request.anonymous ?? !isNamed;
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
      throw new EngineError(
        'invalidArgument',
        `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
      );
    }
    const driver = request.Driver ?? '';
    if (driver !== '' && driver !== 'local' && driver !== 'default') {
      throw new EngineError(
        'notFound',
        `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
      );
    }
    const options = request.DriverOpts ?? {};
    checkDriverOptions(name, options);
    using _held = await this.#locks.acquire(name);
    const existing = this.#rows.get(name);
    if (existing !== undefined) {
      if (request.user !== undefined) this.#rows.addUser(name, request.user);
      return this.#show(existing);
    }
    await mkdir(this.#root, { recursive: true, mode: 0o711 });
    await mkdir(join(this.#root, name), { recursive: true, mode: 0o711 });
    await mkdir(this.#pathOf(name), { recursive: true, mode: 0o755 });
    const row: VolumeRow = {
      name,
      createdAtMs: Date.now(),
      anonymous,
      labels: { ...request.Labels, ...(anonymous ? { [anonymousLabel]: '' } : {}) },
      options,
    };
    this.#rows.insert(row, request.user);
    return this.#show(row);
  }

  inspect(name: string): Volume {
    return this.#show(this.#find(name));
  }

  list(filters: Filters): { readonly Volumes: readonly Volume[]; readonly Warnings: readonly string[] } {
    const found = this.#rows
      .all()
      .filter((row) => matches(row, filters, this.#rows.users(row.name).length > 0));
    return { Volumes: found.map((row) => this.#show(row)), Warnings: [] };
  }

  async remove(name: string, { force, user }: RemoveVolume): Promise<void> {
    using _held = await this.#locks.acquire(name);
    if (force && this.#rows.get(name) === undefined) return;
    this.#find(name);
    const users = this.#rows.users(name).filter((id) => id !== user);
    if (users.length > 0) {
      throw new EngineError('conflict', `remove ${name}: volume is in use - [${users.join(', ')}]`);
    }
    // Another's file system, or a part of one, must be off before its mount point is deleted: rm would go into it.
    unmountBelow(join(this.#root, name));
    // The row last, so that no data is left which a new volume of this name would show again.
    const grave = await bury(this.#root, name);
    this.#rows.delete(name);
    this.#mounted.delete(name);
    await rm(grave, { recursive: true, force: true });
  }

  async prune(
    filters: Filters,
  ): Promise<{ readonly VolumesDeleted: readonly string[]; readonly SpaceReclaimed: number }> {
    const all = booleanFilter(filters, 'all') ?? false;
    return this.#onePrune.run(async () => {
      const VolumesDeleted: string[] = [];
      let SpaceReclaimed = 0;
      for (const row of this.#rows.all()) {
        if (!all && !row.anonymous) continue;
        if (this.#rows.users(row.name).length > 0 || !matches(row, filters, false)) continue;
        const size = await this.#prune(row);
        if (size === undefined) continue;
        VolumesDeleted.push(row.name);
        SpaceReclaimed += size;
      }
      this.#rows.recordPrune(SpaceReclaimed);
      return { VolumesDeleted, SpaceReclaimed };
    });
  }

  /** The bytes that went with it, `undefined` if it stays. */
  async #prune(row: VolumeRow): Promise<number | undefined> {
    try {
      const size = await this.#size(row);
      await this.remove(row.name, { force: true });
      return size;
    } catch (error) {
      // A container took it since: it is not unused any more.
      if (!isCode(error, 'conflict')) this.#warn(`Cannot prune volume ${row.name}`, error);
      return undefined;
    }
  }

  async usage(signal?: AbortSignal): Promise<Volume[]> {
    const rows = this.#rows.all();
    this.#measured.retain(new Set(rows.map(keyOf)));
    return Promise.all(
      rows.map(async (row) => {
        signal?.throwIfAborted();
        // Not for one caller alone, so no caller's signal ends it.
        const Size = await this.#measured.get(keyOf(row), () => this.#size(row));
        return { ...this.#show(row), UsageData: { Size, RefCount: this.#rows.users(row.name).length } };
      }),
    );
  }

  attach(name: string, containerId: string): void {
    this.#find(name);
    this.#rows.addUser(name, containerId);
  }

  detach(containerId: string): void {
    this.#rows.removeUser(containerId);
  }

  setUses(containerId: string, names: readonly string[]): void {
    this.#rows.setUses(containerId, names);
  }

  async removeAnonymous(containerId: string): Promise<void> {
    for (const name of this.#rows.anonymousOf(containerId)) {
      try {
        await this.remove(name, { force: true, user: containerId });
      } catch (error) {
        // Another container came to mount it too (--volumes-from): it goes with that one.
        if (!isCode(error, 'conflict')) throw error;
      }
    }
  }

  adopt(containerId: string, names: readonly string[]): void {
    for (const name of names) this.#addMounted(name, containerId);
  }

  async recover(containers: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const rows = this.#rows.all();
    // Volumes and parts of them, for a start that was cut off.
    const left = rows.filter((row) => hasMount(row) && !this.#mounted.has(row.name));
    const paths = new Set(left.map(({ name }) => this.#pathOf(name)));
    unmountBelow(this.#root, (path) => paths.has(path) || path.split('/').some(isPart));
    await recoverDirectories(this.#root, new Set(rows.map(({ name }) => name)));
    for (const id of this.#rows.allUsers()) {
      const names = containers.get(id);
      if (names !== undefined) {
        this.setUses(id, names);
        continue;
      }
      await this.removeAnonymous(id);
      this.detach(id);
    }
  }

  async fill(name: string, source: string, { subpath, temporary }: FillVolume): Promise<void> {
    if (!(await isDirectory(source))) return;
    using _held = await this.#locks.acquire(name);
    const row = this.#find(name);
    const path = this.#pathOf(name);
    const sync = !temporary;
    // What another container has mounted it would not see replaced.
    const inPlace = hasMount(row) || this.#rows.users(name).length > 1;
    if (hasMount(row)) await mountOptions(path, row.options);
    try {
      if (subpath === undefined) {
        await seedVolume(source, path, { inPlace, sync });
        return;
      }
      using part = openPart(path, subpath);
      await seedVolume(source, part.path, { inPlace: true, sync });
    } catch (error) {
      if (subpath === undefined || !isCode(error, 'notFound')) throw error;
    } finally {
      if (hasMount(row) && !this.#mounted.has(name)) unmountOptions(path);
    }
  }

  async mount(name: string, containerId: string, at: MountedAt): Promise<string> {
    using _held = await this.#locks.acquire(name);
    const row = this.#find(name);
    const path = this.#pathOf(name);
    if (hasMount(row)) await mountOptions(path, row.options);
    this.#addMounted(name, containerId);
    this.#rows.recordMount(name, containerId, at);
    return path;
  }

  #addMounted(name: string, containerId: string): void {
    const users = this.#mounted.get(name) ?? new Set();
    this.#mounted.set(name, users.add(containerId));
  }

  async openPart(name: string, subpath: string): Promise<VolumePart> {
    using _held = await this.#locks.acquire(name);
    return openPart(this.#pathOf(name), subpath);
  }

  async unmount(name: string, containerId: string): Promise<void> {
    using _held = await this.#locks.acquire(name);
    const users = this.#mounted.get(name);
    if (users?.delete(containerId) !== true) return;
    this.#rows.recordUnmount(name, containerId);
    if (users.size > 0) return;
    this.#mounted.delete(name);
    if (hasMount(this.#find(name))) unmountOptions(this.#pathOf(name));
  }

  #find(name: string): VolumeRow {
    const row = this.#rows.get(name);
    if (row === undefined) throw new EngineError('notFound', `get ${name}: no such volume`);
    return row;
  }

  #pathOf(name: string): string {
    return join(this.#root, name, '_data');
  }

  #show(row: VolumeRow): Volume {
    return {
      Name: row.name,
      Driver: 'local',
      Mountpoint: this.#pathOf(row.name),
      CreatedAt: new Date(row.createdAtMs).toISOString().replace(/\.\d+Z$/, 'Z'),
      Labels: Object.keys(row.labels).length === 0 ? null : row.labels,
      Scope: 'local',
      Options: Object.keys(row.options).length === 0 ? null : row.options,
    };
  }

  /** Bytes of a volume's files; another's file system is not walked. */
  async #size(row: VolumeRow): Promise<number> {
    return hasMount(row) ? 0 : (await treeUsage(this.#pathOf(row.name))).bytes;
  }
}

/** A volume made anew under an old name is another one. */
function keyOf({ name, createdAtMs }: VolumeRow): string {
  return `${name} ${createdAtMs}`;
}

function hasMount({ options }: VolumeRow): boolean {
  return options['device'] !== undefined;
}
