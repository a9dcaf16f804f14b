import { join } from 'node:path';
import type { Logger } from 'pino';
import type { StepRunner } from '../build/index.ts';
import type { EngineConfig } from '../config/index.ts';
import type { Images } from '../image/index.ts';
import { KeyedLock } from '../lib/keyed-lock.ts';
import type { Metadata } from '../metadata/index.ts';
import type { Networks } from '../network/index.ts';
import type { LogReader, OciRuntime } from '../runtime/index.ts';
import type { Layers, Snapshotter } from '../snapshot/index.ts';
import type { Volumes } from '../volume/index.ts';
import { Archives } from './archive.ts';
import { PendingAttachments } from './attach.ts';
import type { Containers } from './containers.ts';
import { Creator } from './creator.ts';
import { neededContainers } from './dependencies.ts';
import { Execs } from './execs.ts';
import { Freezer } from './freezer.ts';
import { HealthMonitor } from './health-monitor.ts';
import type { HostFacts } from './host-facts.ts';
import { Launcher } from './launch.ts';
import { Lifecycle } from './lifecycle.ts';
import { LogForwarding } from './logs/forward/forwarding.ts';
import { assertDefaultLogging } from './logs/log-config.ts';
import { Logs } from './logs/logs.ts';
import { LogRotation } from './logs/rotation.ts';
import { Operations } from './operations.ts';
import { Pruner } from './prune.ts';
import { Reconfigurer } from './reconfigure/reconfigurer.ts';
import { recover, wantedByPolicy } from './recover.ts';
import { Remover } from './remove.ts';
import { Restarts } from './restarts.ts';
import { RunEnder } from './run-ender.ts';
import { DeafnessWatch } from './runs/deafness-watch.ts';
import { SeccompProfiles } from './spec/index.ts';
import { Specs } from './specs.ts';
import { ContainerStepRunner } from './step-runner.ts';
import { Stopper } from './stop.ts';
import { ContainerStore } from './store.ts';
import { Waiters } from './waiters.ts';

/** The subsystems containers are made of. */
export interface ContainerServices {
  readonly images: Images;
  readonly snapshots: Snapshotter;
  readonly layers: Layers;
  readonly volumes: Volumes;
  readonly networks: Networks;
  readonly runtime: OciRuntime;
  readonly logReader: LogReader;
}

export interface ContainersDeps {
  readonly config: EngineConfig;
  readonly host: HostFacts;
  readonly store: ContainerStore;
  readonly services: ContainerServices;
  readonly logger: Logger;
}

/** The container side of an engine. */
export interface ContainerSide {
  readonly containers: Containers;
  readonly steps: StepRunner;
  /** Makes rows and kernel agree; call once, before serving. */
  recover(): Promise<void>;
  /** Goes on with changes that were cut off, and starts what restart policies want to run; call once, after `recover`. */
  applyPolicies(): void;
  /** Stops every running container. */
  stopAll(): Promise<void>;
  /** Stops following containers, which go on by themselves. */
  close(): Promise<void>;
}

/** Opens the store of containers, which images need to know who uses them. */
export function openContainerStore(metadata: Metadata): ContainerStore {
  return new ContainerStore(metadata);
}

export function createContainers({ config, host, store, services, logger }: ContainersDeps): ContainerSide {
  const { runtime, networks, images, volumes, snapshots, layers } = services;
  const storage = { snapshots, volumes, layers, directory: join(config.root, 'containers') };
  const { driver, options } = config.logging;
  assertDefaultLogging({ Type: driver, Config: options });
  const context = { host, runtimes: [runtime.name], logging: config.logging };
  const waiters = new Waiters();
  const pending = new PendingAttachments();
  const seccomp = new SeccompProfiles(host);
  const specs = new Specs({ store, host, seccomp, cgroupParent: config.cgroupParent });
  const launcher = new Launcher({ store, storage, networks, runtime, specs });
  const execs = new Execs({
    store,
    runtime,
    logger,
    userOf: (container, request) => specs.execUser(container, request),
    processOf: (container, request) => specs.exec(container, request),
  });
  const pathOf = (id: string) => join(storage.directory, id, 'container.log');
  const logs = new Logs({ reader: services.logReader, waiters, pathOf });
  const forwarding = new LogForwarding({ reader: services.logReader, pathOf, logger });
  const rotation = new LogRotation({ runtime, pathOf, logger });
  const remover = new Remover({
    store,
    launcher,
    storage: { ...storage, images },
    logKeepers: [forwarding, rotation],
    waiters,
    logger,
  });
  const locks = new KeyedLock();
  const health = new HealthMonitor({ store, runtime, specs, logger });
  const freezer = new Freezer({ store, runtime, health, locks });
  const restarts: Restarts = new Restarts({
    start: (id, options) => lifecycle.start(id, options),
    needs: (id) => {
      const container = store.get(id);
      return container === undefined ? [] : neededContainers(container.record, store);
    },
    logger,
  });
  const lifecycle = new Lifecycle({
    store,
    launcher,
    runtime,
    waiters,
    pending,
    remover,
    restarts,
    logs,
    locks,
    logger,
  });
  lifecycle.observe(health);
  const deafness = new DeafnessWatch(store, logger);
  lifecycle.observe(deafness);
  lifecycle.observe(rotation);
  lifecycle.observe(forwarding);
  const ender = new RunEnder({ store, runtime, waiters, freezer, restarts, locks, logger });
  const stopper = new Stopper({ store, lifecycle, ender, remover, restarts, deaf: config.stopDeaf });
  const reconfigurer = new Reconfigurer({ store, services, host, lifecycle, stopper, remover, logger });
  const pruner = new Pruner({ store, snapshots, stopper, restarts, logger });
  const archives = new Archives({ store, storage, locks: lifecycle.locks });
  const creator = new Creator({ store, images, storage, launcher, context });
  const containers = new Operations({
    store,
    services,
    creator,
    launcher,
    lifecycle,
    stopper,
    reconfigurer,
    pruner,
    execs,
    logs,
    archives,
    pending,
    waiters,
    freezer,
    host,
    directory: storage.directory,
  });

  const recovery = { store, lifecycle, launcher, remover, runtime, networks, storage, logger };
  return {
    containers,
    steps: new ContainerStepRunner({ store, storage, networks, runtime, specs }, context),
    recover: async () => {
      await recover(recovery);
      for (const container of store.all()) forwarding.resume(container);
    },
    applyPolicies: () => {
      reconfigurer.resume();
      restarts.begin(wantedByPolicy(store));
    },
    stopAll: async () => {
      restarts.close();
      await lifecycle.endStarts();
      const running = store.all().filter(({ state }) => state.running);
      await Promise.allSettled(running.map((container) => stopper.stop(container, {}, 'shutdown')));
    },
    close: async () => {
      health.close();
      deafness.close();
      execs.close();
      ender.close();
      await Promise.all([lifecycle.close(), rotation.close(), forwarding.close()]);
      // `docker cp` left the trees of stopped containers mounted for the next one.
      const stopped = store.all().filter(({ state }) => !state.running);
      await Promise.all(stopped.map(({ record }) => snapshots.unmount(record.id)));
    },
  };
}
