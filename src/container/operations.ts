import { join } from 'node:path';
import type {
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerInspect,
  ContainerRun,
  ContainerSummary,
  EndpointSettings,
  ExecCreateRequest,
  ExecInspect,
  FilesystemChange,
  Filters,
  HostConfig,
  ReconfigureRequest,
  ReconfigureResponse,
} from '../api/index.ts';
import { EngineError, isCode } from '../errors/index.ts';
import { KeyedLock } from '../lib/keyed-lock.ts';
import { Measurements } from '../lib/measurements.ts';
import type { Archives } from './archive.ts';
import { type PendingAttachments, replayThen, sessionOf, streamsOf } from './attach.ts';
import { commitContainer } from './commit.ts';
import type {
  AttachOptions,
  Containers,
  CreateOptions,
  ListOptions,
  ReconfigureOptions,
  Session,
  StopOptions,
  TopResult,
  WaitCondition,
  WaitResult,
} from './containers.ts';
import type { ContainerServices } from './create-containers.ts';
import type { Creator } from './creator.ts';
import type { Execs } from './execs.ts';
import type { Freezer } from './freezer.ts';
import type { HostFacts } from './host-facts.ts';
import { imageNames } from './image-names.ts';
import type { Launcher } from './launch.ts';
import type { Lifecycle } from './lifecycle.ts';
import { withoutLink } from './links.ts';
import { select } from './list.ts';
import type { Logs } from './logs/logs.ts';
import { joinNetwork, leaveNetwork } from './membership.ts';
import { parseContainerName } from './names.ts';
import type { Pruner } from './prune.ts';
import type { Reconfigurer } from './reconfigure/reconfigurer.ts';
import type { Container } from './record.ts';
import { renameContainer } from './rename.ts';
import { runViews } from './runs/views.ts';
import { parseSignal } from './signals.ts';
import { apparmorProfileOf } from './spec/index.ts';
import { containerStats } from './stats.ts';
import type { Stopper } from './stop.ts';
import type { ContainerStore } from './store.ts';
import { containerTop } from './top.ts';
import { assertCan, assertSettled } from './transitions.ts';
import { updateContainer } from './update.ts';
import { type ContainerSizes, inspectView, networkIdsOf, summaryView } from './views.ts';
import type { Waiters } from './waiters.ts';

export interface OperationsDeps {
  readonly store: ContainerStore;
  readonly services: ContainerServices;
  readonly creator: Creator;
  readonly launcher: Launcher;
  readonly lifecycle: Lifecycle;
  readonly stopper: Stopper;
  readonly reconfigurer: Reconfigurer;
  readonly pruner: Pruner;
  readonly execs: Execs;
  readonly logs: Logs;
  readonly archives: Archives;
  readonly pending: PendingAttachments;
  readonly waiters: Waiters;
  readonly freezer: Freezer;
  readonly host: HostFacts;
  readonly directory: string;
}

/** What clients ask of containers, by name: finds the container, then hands to the part that does it. */
export class Operations implements Containers {
  readonly #deps: OperationsDeps;
  readonly #measured = new Measurements();
  readonly #commits = new KeyedLock();

  constructor(deps: OperationsDeps) {
    this.#deps = deps;
  }

  #find(name: string): Container {
    return this.#deps.store.resolve(name);
  }

  async create(request: ContainerCreateRequest, options: CreateOptions): Promise<ContainerCreateResponse> {
    return this.#deps.creator.create(request, options);
  }

  async start(name: string, signal?: AbortSignal): Promise<void> {
    await this.#deps.lifecycle.start(this.#find(name).record.id, signal === undefined ? {} : { signal });
  }

  async stop(name: string, options: StopOptions): Promise<void> {
    await this.#deps.stopper.stop(this.#find(name), options);
  }

  async restart(name: string, options: StopOptions): Promise<void> {
    await this.#deps.stopper.restart(this.#find(name), options);
  }

  async runs(name: string): Promise<ContainerRun[]> {
    const container = this.#find(name);
    const { id, config } = container.record;
    return runViews(container, this.#deps.store.runs.list(id), parseSignal(config.StopSignal ?? 'SIGTERM'));
  }

  async kill(name: string, signal: string | undefined): Promise<void> {
    await this.#deps.stopper.kill(this.#find(name), signal);
  }

  async pause(name: string): Promise<void> {
    await this.#deps.freezer.pause(this.#find(name).record.id);
  }

  async unpause(name: string): Promise<void> {
    await this.#deps.freezer.unpause(this.#find(name).record.id);
  }

  async rename(name: string, to: string): Promise<void> {
    const { store, services, lifecycle } = this.#deps;
    const { id } = this.#find(name).record;
    if (to === '') throw new EngineError('invalidArgument', 'Neither old nor new names may be empty');
    using _held = await lifecycle.locks.acquire(id);
    renameContainer(store.current(id), parseContainerName(to), { store, networks: services.networks });
  }

  async update(name: string, change: Partial<HostConfig>): Promise<{ readonly Warnings: readonly string[] }> {
    const { store, services, lifecycle } = this.#deps;
    const { id } = this.#find(name).record;
    using _held = await lifecycle.locks.acquire(id);
    assertSettled(store.current(id));
    return await updateContainer(store.current(id), change, {
      store,
      runtime: services.runtime,
      host: this.#deps.host,
    });
  }

  async reconfigure(
    name: string,
    request: ReconfigureRequest,
    options: ReconfigureOptions,
  ): Promise<ReconfigureResponse> {
    return this.#deps.reconfigurer.reconfigure(this.#find(name).record.id, request, options);
  }

  async connectNetwork(name: string, network: string, settings: Partial<EndpointSettings>): Promise<void> {
    const { store, services, launcher, lifecycle } = this.#deps;
    const { id } = this.#find(name).record;
    using _held = await lifecycle.locks.acquire(id);
    const { networks } = services;
    await joinNetwork(store.current(id), network, { settings, store, networks, launcher });
  }

  async disconnectNetwork(
    name: string,
    network: string,
    { force }: { readonly force: boolean },
  ): Promise<void> {
    const { store, services, launcher, lifecycle } = this.#deps;
    const { id } = this.#find(name).record;
    using _held = await lifecycle.locks.acquire(id);
    const { networks } = services;
    await leaveNetwork(store.current(id), network, { force, store, networks, launcher });
  }

  async remove(name: string, options: { readonly force: boolean; readonly volumes: boolean }): Promise<void> {
    const container = this.#find(name);
    await this.#deps.stopper.remove(container, options);
    this.#deps.pending.abandon(container.record.id);
    this.#deps.execs.forget(container.record.id);
  }

  async unlink(name: string, alias: string): Promise<void> {
    const { store, lifecycle } = this.#deps;
    const { id } = this.#find(name).record;
    using _held = await lifecycle.locks.acquire(id);
    assertSettled(store.current(id));
    store.save(withoutLink(store.current(id), alias));
  }

  async prune(
    filters: Filters,
  ): Promise<{ readonly ContainersDeleted: readonly string[]; readonly SpaceReclaimed: number }> {
    return this.#deps.pruner.prune(filters);
  }

  async wait(
    name: string,
    condition: WaitCondition,
    signal: AbortSignal,
  ): Promise<{ readonly result: Promise<WaitResult> }> {
    const { id } = this.#find(name).record;
    if (condition === 'not-running') {
      await this.#deps.lifecycle.afterStart(id, signal);
      const { state } = this.#find(id);
      if (!state.running) return { result: Promise.resolve({ StatusCode: state.exitCode, Error: null }) };
    }
    return { result: this.#deps.waiters.wait(id, condition, signal) };
  }

  async list(options: ListOptions): Promise<ContainerSummary[]> {
    const { store, services } = this.#deps;
    const { images } = services;
    this.#measured.retain(new Set(store.all().map(({ record }) => record.id)));
    const imageName = imageNames(images);
    const networkIds = networkIdsOf(services.networks);
    const found = select({ store, images, networkIds }, options).map(async (container) => {
      const { size } = options;
      const sizes = size === false ? undefined : await this.#sizes(container, size === 'recent');
      return summaryView(container, {
        image: imageName(container),
        networkIds,
        ...(sizes === undefined ? {} : { sizes }),
      });
    });
    const settled = await Promise.allSettled(found);
    return settled.flatMap((one) => {
      if (one.status === 'fulfilled') return [one.value];
      // It was removed while its files were counted.
      if (isCode(one.reason, 'notFound')) return [];
      throw one.reason;
    });
  }

  async inspect(name: string, options: { readonly size: boolean }): Promise<ContainerInspect> {
    const { record, state } = this.#find(name);
    const { id } = record;
    // As in Docker, who hears that a restart has ended a run finds the next one.
    if (!state.running) await this.#deps.lifecycle.restarted(id);
    const container = this.#find(id);
    const sizes = options.size ? await this.#sizes(container) : undefined;
    const snapshot = await this.#ofTree(id, () => this.#deps.services.snapshots.paths(id), {});
    return inspectView(container, {
      paths: { directory: join(this.#deps.directory, id), snapshot },
      execIds: this.#deps.execs.of(id),
      apparmorProfile: apparmorProfileOf(container.record.hostConfig, this.#deps.host),
      networkIds: networkIdsOf(this.#deps.services.networks),
      store: this.#deps.store,
      ...(sizes === undefined ? {} : { sizes }),
    });
  }

  async #sizes({ record: { id, imageId } }: Container, recent = false): Promise<ContainerSizes> {
    const { snapshots, images } = this.#deps.services;
    const measure = async () => (await snapshots.usage(id)).bytes;
    const bytes = await this.#ofTree(id, () => (recent ? this.#measured.get(id, measure) : measure()), 0);
    let imageBytes = 0;
    try {
      imageBytes = images.inspect(imageId).Size;
    } catch (error) {
      // Removed by force: its layers are the container's alone.
      if (!(error instanceof EngineError)) throw error;
    }
    return { SizeRw: bytes, SizeRootFs: bytes + imageBytes };
  }

  /** `otherwise` for a container whose tree is gone: its removal goes on, or has failed after that. */
  async #ofTree<T, U>(id: string, read: () => T | Promise<T>, otherwise: U): Promise<T | U> {
    try {
      return await read();
    } catch (error) {
      if (!isCode(error, 'notFound') || this.#deps.store.get(id) === undefined) throw error;
      return otherwise;
    }
  }

  async top(name: string, psArgs: string): Promise<TopResult> {
    const { services, store } = this.#deps;
    const container = this.#find(name);
    assertCan('top', container);
    const result = await containerTop(await services.runtime.pids(container.record.id), psArgs);
    store.note(container, { action: 'top' });
    return result;
  }

  async changes(name: string): Promise<FilesystemChange[]> {
    return this.#deps.services.snapshots.changes(this.#find(name).record.id);
  }

  async tree(name: string): Promise<{ readonly id: string; readonly root: string }> {
    const { id } = this.#find(name).record;
    return { id, root: await this.#deps.services.snapshots.mount(id) };
  }

  stats(
    name: string,
    options: { readonly stream: boolean; readonly oneShot: boolean },
    signal: AbortSignal,
  ): AsyncIterable<object> {
    const { record } = this.#find(name);
    const { store, host, services } = this.#deps;
    return containerStats({ id: record.id, store, host, runtime: services.runtime }, options, signal);
  }

  async attach(name: string, options: AttachOptions): Promise<Session> {
    const { logs, store } = this.#deps;
    const container = this.#find(name);
    assertCan('attach', container);
    store.note(container, { action: 'attach' });
    const session = await this.#liveSession(container, options);
    const live = { ...session, onDetach: () => store.note(container, { action: 'detach' }) };
    if (!options.logs) return live;
    return { ...live, output: replayThen(logs.replay(container), options.stream ? live.output : undefined) };
  }

  async #liveSession(container: Container, options: AttachOptions): Promise<Session> {
    const { services, pending } = this.#deps;
    const { id, config } = container.record;
    const streams = streamsOf(options, config);
    if (!options.stream) return sessionOf(Promise.resolve(undefined), streams, async () => undefined);
    if (!container.state.running) return pending.session(id, streams);
    const attachment = await services.runtime.attach(id, { input: streams.stdin });
    return sessionOf(Promise.resolve(attachment), streams, async () => attachment[Symbol.asyncDispose]());
  }

  async resize(name: string, size: { readonly height: number; readonly width: number }): Promise<void> {
    const { store, services } = this.#deps;
    const container = this.#find(name);
    assertCan('resize', container);
    await services.runtime.resize(container.record.id, size);
    store.note(container, {
      action: 'resize',
      attributes: { height: String(size.height), width: String(size.width) },
    });
  }

  async logs(
    name: string,
    query: Parameters<Containers['logs']>[1],
    signal: AbortSignal,
  ): ReturnType<Containers['logs']> {
    return this.#deps.logs.stream(this.#find(name), query, signal);
  }

  async execCreate(name: string, request: ExecCreateRequest): Promise<{ readonly Id: string }> {
    return { Id: this.#deps.execs.create(this.#find(name), request) };
  }

  async execStart(
    execId: string,
    options: {
      readonly detach: boolean;
      readonly tty?: boolean;
      readonly consoleSize?: readonly [number, number];
      readonly onRun?: () => void;
    },
  ): Promise<Session | undefined> {
    return this.#deps.execs.start(execId, options);
  }

  execInspect(execId: string): ExecInspect {
    return this.#deps.execs.inspect(execId);
  }

  async execResize(execId: string, size: { readonly height: number; readonly width: number }): Promise<void> {
    return this.#deps.execs.resize(execId, size);
  }

  async statPath(name: string, path: string): ReturnType<Containers['statPath']> {
    return this.#deps.archives.stat({ container: this.#find(name), name }, path);
  }

  async getArchive(name: string, path: string): ReturnType<Containers['getArchive']> {
    return this.#deps.archives.get({ container: this.#find(name), name }, path);
  }

  async putArchive(...[name, path, tar, options]: Parameters<Containers['putArchive']>): Promise<void> {
    return this.#deps.archives.put({ container: this.#find(name), name }, { path, tar, ...options });
  }

  async export(name: string): ReturnType<Containers['export']> {
    return this.#deps.archives.export(this.#find(name));
  }

  async commit(name: string, options: Parameters<Containers['commit']>[1]): ReturnType<Containers['commit']> {
    const { store, services, freezer } = this.#deps;
    const { id } = this.#find(name).record;
    // The first of two that ends would thaw the container under the other.
    using _held = await this.#commits.acquire(id);
    return await commitContainer(this.#find(id), options, { store, images: services.images, freezer });
  }
}
