import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createBuilder } from '../build/index.ts';
import type { EngineConfig } from '../config/index.ts';
import { createContainers, openContainerStore } from '../container/index.ts';
import { openContentStore } from '../content/index.ts';
import { createImages } from '../image/index.ts';
import { openMetadata } from '../metadata/index.ts';
import { createNetworks } from '../network/index.ts';
import { createLogReader, createRuncRuntime } from '../runtime/index.ts';
import { openSnapshots } from '../snapshot/index.ts';
import { createVolumes } from '../volume/index.ts';
import type { Engine } from './engine.ts';
import { prepareHost } from './prepare-host.ts';
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
  await openRunDirectory(config.run);
  await mkdir(join(config.root, 'containers'), { recursive: true, mode: 0o710 });

  const runtime = stack.use(createRuncRuntime({ run: config.run, program: config.runtime }));
  const [runtimeInfo, host] = await Promise.all([runtime.probe(), prepareHost(logger)]);
  const metadata = stack.use(openMetadata(join(config.root, 'gantry.db')));
  const content = await openContentStore({ directory: join(config.root, 'content') });
  const { snapshots, layers } = stack.use(await openSnapshots({ root: config.root, metadata }));
  const store = openContainerStore(metadata);
  const images = createImages({
    metadata,
    content,
    snapshots,
    layers,
    users: () =>
      store.all().map(({ record, state }) => ({
        containerId: record.id,
        imageId: record.imageId,
        running: state.running,
      })),
  });
  const networks = stack.use(createNetworks({ config, metadata }));
  const volumes = createVolumes({ config, metadata });
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
  });
  const system = createSystem({ config, metadata, containers, images, volumes, builder, host, runtimeInfo });
  await side.recover();

  const resources = stack.move();
  return {
    config,
    containers,
    images,
    networks,
    volumes,
    builder,
    system,
    journal: metadata.journal,
    [Symbol.asyncDispose]: async () => {
      if (config.shutdown === 'stop') await side.stopAll();
      await side.close();
      await networks.shutdown({ keep: store.all().some(({ state }) => state.running) });
      await resources.disposeAsync();
    },
  };
}
