import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createBuilder, openBuildCache } from '../build/index.ts';
import { type EngineConfig, gantryVersion } from '../config/index.ts';
import { type ContainerStore, createContainers, imageUses, openContainerStore } from '../container/index.ts';
import { openContentStore } from '../content/index.ts';
import { createImages, createTransfers } from '../image/index.ts';
import { createHttpGet } from '../lib/http-get.ts';
import { openMetadata } from '../metadata/index.ts';
import { createNetworks, probeNetworkPrograms } from '../network/index.ts';
import { createRegistryClient } from '../registry/index.ts';
import { createLogReader, createRuncRuntime } from '../runtime/index.ts';
import { openSnapshots } from '../snapshot/index.ts';
import { createVolumes } from '../volume/index.ts';
import { removeCgroups } from './cgroup-parent.ts';
import { createStoreCheck } from './check-store.ts';
import type { Engine } from './engine.ts';
import { diffImages } from './image-diff.ts';
import { prepareHost } from './prepare-host.ts';
import { createPrunePlans } from './prune/prune-plans.ts';
import { lockRoot } from './root-lock.ts';
import { openRunDirectory } from './run-directory.ts';
import { createSystem } from './system.ts';

/**
 * Starts an engine on `config.root`: checks what it needs of the host, opens its stores, finds the containers of an
 * earlier engine again. Rejects with `unavailable` naming a missing package, `conflict` when the root is in use.
 * Disposing it lets go of everything; containers are left running or stopped as `config.shutdown` says.
 */
export async function startEngine(config: EngineConfig, logger: Logger): Promise<Engine> {
  await using stack = new AsyncDisposableStack();
  stack.use(await lockRoot(config.root));
  let idle = false;
  stack.defer(async () => {
    // Before the lock goes: the next engine on this root makes it anew.
    if (idle) await rm(config.run, { recursive: true, force: true });
  });
  await openRunDirectory(config.run);
  await mkdir(join(config.root, 'containers'), { recursive: true, mode: 0o710 });
  // Contexts of builds that a killed engine ran.
  await rm(join(config.root, 'build'), { recursive: true, force: true });

  const runtime = stack.use(
    createRuncRuntime({ run: config.run, program: config.runtime, adopts: config.adoptsOrphans }),
  );
  const [runtimeInfo, host] = await Promise.all([
    runtime.probe(),
    prepareHost(logger),
    probeNetworkPrograms(),
  ]);
  const metadata = stack.use(openMetadata(join(config.root, 'gantry.db')));
  // The lock says that nobody else works on this root: a lease left over guards nothing.
  metadata.leases.endAll();
  const content = await openContentStore({ directory: join(config.root, 'content') });
  const { snapshots, layers } = stack.use(await openSnapshots({ root: config.root, metadata }));
  const store = openContainerStore(metadata);
  const cache = openBuildCache(metadata);
  const images = stack.use(
    createImages({
      metadata,
      content,
      snapshots,
      layers,
      users: () => store.all().flatMap(imageUses),
      cached: () => cache.stepImages(),
      building: () => cache.live(),
    }),
  );
  const { registries, proxies } = config;
  const registry = stack.use(
    createRegistryClient({ ...registries, proxies, userAgent: `gantry/${gantryVersion}` }),
  );
  const httpGet = stack.use(createHttpGet(proxies));
  const transfers = stack.use(
    createTransfers({
      metadata,
      images,
      stores: { content, snapshots, layers },
      registry,
      limits: { downloads: registries.maxConcurrentDownloads, uploads: registries.maxConcurrentUploads },
    }),
  );
  const onWarning = (message: string, error: unknown) => {
    logger.warn({ err: error }, message);
  };
  const networks = stack.use(createNetworks({ config, metadata, onWarning }));
  const volumes = createVolumes({ config, metadata, onWarning });
  const side = createContainers({
    config,
    host,
    store,
    services: { images, snapshots, layers, volumes, networks, runtime, logReader: createLogReader() },
    logger,
  });
  const { containers } = side;
  const builder = createBuilder({
    root: config.root,
    metadata,
    stores: { content, snapshots, layers, images },
    steps: side.steps,
    cache,
    transfers,
    httpGet,
  });
  const system = createSystem({ config, metadata, containers, images, volumes, builder, host, runtimeInfo });
  for (const { id, reason } of await images.repair()) {
    logger.error(
      { image: id, reason },
      'the image lost a layer when the machine lost power: load or build it again',
    );
  }
  await side.recover();
  await removeCgroups(config.cgroupParent, runningIds(store));
  side.applyPolicies();
  const tidying = images.collectGarbage().catch((error: unknown) => {
    logger.warn({ err: error }, 'cannot remove what no image needs any more');
  });

  const resources = stack.move();
  return {
    config,
    containers,
    images,
    transfers,
    registry,
    httpGet,
    networks,
    volumes,
    builder,
    system,
    store: {
      diff: (names, signal) => diffImages({ images, containers, snapshots }, names, signal),
      check: createStoreCheck({ root: config.root, metadata, images, volumes, store }),
      prunePlans: createPrunePlans({ containers, images, networks, volumes, builder }, metadata),
    },
    journal: metadata.journal,
    [Symbol.asyncDispose]: async () => {
      if (config.shutdown === 'stop') await side.stopAll();
      await builder[Symbol.asyncDispose]();
      await Promise.all([side.close(), tidying]);
      idle = !store.all().some(({ state }) => state.running);
      await networks.shutdown({ keep: !idle });
      await removeCgroups(config.cgroupParent, runningIds(store));
      await resources.disposeAsync();
    },
  };
}

function runningIds(store: ContainerStore): Set<string> {
  return new Set(store.all().flatMap(({ record, state }) => (state.running ? [record.id] : [])));
}
