import type { ContainerCreateRequest, ContainerCreateResponse } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import type { Images } from '../image/index.ts';
import { randomId, shortId } from '../lib/ids.ts';
import { splitLink } from '../network/index.ts';
import { hostPlatform, hostRuns, type Platform, platformMatches, platformString } from '../oci/index.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { CreateOptions } from './containers.ts';
import { type CreateContext, endpointsOf, normalizeCreate } from './create/index.ts';
import { fillVolumes } from './fill-volumes.ts';
import type { Launcher } from './launch.ts';
import { makeMountPoints } from './mount-points.ts';
import { generateName, parseContainerName } from './names.ts';
import { type ContainerRecord, mountedImages, newState } from './record.ts';
import { joinedContainer } from './spec/index.ts';
import type { ContainerStore } from './store.ts';

export interface CreatorDeps {
  readonly store: ContainerStore;
  readonly images: Images;
  readonly storage: { readonly snapshots: Snapshotter; readonly volumes: Volumes };
  readonly launcher: Launcher;
  readonly context: CreateContext;
}

/** Makes containers: rows and files only, nothing that runs. */
export class Creator {
  readonly #deps: CreatorDeps;

  constructor(deps: CreatorDeps) {
    this.#deps = deps;
  }

  async create(request: ContainerCreateRequest, options: CreateOptions): Promise<ContainerCreateResponse> {
    const { store, images, storage, launcher, context } = this.#deps;
    const chosen =
      options.name === undefined || options.name === '' ? undefined : parseContainerName(options.name);
    const image = images.resolve(request.Image ?? '');
    assertPlatform(request.Image ?? '', image.config, options.platform);
    const id = newContainerId();
    const normal = normalizeCreate({ request, image: image.config.config ?? {}, id }, context);
    const { hostConfig, warnings } = normal;
    const config = { ...normal.config, ...this.#joinedName(hostConfig.NetworkMode) };
    if (chosen !== undefined) store.assertNameFree(chosen);
    const links = Object.fromEntries(
      (hostConfig.Links ?? []).map((link) => {
        const { container } = splitLink(link);
        const linked = store.resolveNamed(container, `could not get container for ${container}: `);
        return [container, linked.record.id];
      }),
    );

    let made = false;
    try {
      const mounts = await makeMountPoints(
        { containerId: id, config, hostConfig, writableBelow: options.writableBelow },
        { store, volumes: storage.volumes, images },
      );
      await Promise.all([
        storage.snapshots.prepare(id, image.chainId, { initLayer: true }),
        launcher.makeDirectory(id),
      ]);
      await fillVolumes({ containerId: id, mounts, autoRemove: hostConfig.AutoRemove }, storage);
      const record: ContainerRecord = {
        id,
        // Drawn only now: nobody else can take it before it is in the store.
        name: chosen ?? generateName(id, (taken) => store.idOfName(taken) !== undefined),
        created: new Date().toISOString(),
        imageId: image.id,
        config,
        hostConfig,
        endpoints: endpointsOf(request, hostConfig),
        mounts,
        links,
      };
      const container = { record, state: newState };
      // Read again in the same transaction: an image may have been removed meanwhile.
      store.insert(container, () => {
        for (const { id: needed } of [image, ...mountedImages(container)]) images.resolve(needed);
      });
      made = true;
      return { Id: id, Warnings: [...warnings, ...platformWarnings(image.config, options.platform)] };
    } finally {
      if (!made) await this.#undo(id);
    }
  }

  /** A container in another's network has its name too; the other must exist already now. */
  #joinedName(networkMode: string): Partial<Pick<ContainerRecord['config'], 'Hostname' | 'Domainname'>> {
    const joined = joinedContainer(networkMode);
    if (joined === undefined) return {};
    const { record } = this.#deps.store.resolveNamed(joined, 'joining network namespace of container: ');
    const { Hostname, Domainname } = record.config;
    return { Hostname, Domainname };
  }

  async #undo(id: string): Promise<void> {
    const { storage, launcher } = this.#deps;
    await storage.snapshots.remove(id);
    await launcher.removeDirectory(id);
    await storage.volumes.removeAnonymous(id);
    storage.volumes.detach(id);
  }
}

/** Drawn again when its first 12 digits are a number: they are the default hostname. */
export function newContainerId(): string {
  let id = randomId();
  while (/^\d+$/.test(shortId(id))) id = randomId();
  return id;
}

function assertPlatform(name: string, image: Platform, wanted: Platform | undefined): void {
  if (wanted === undefined) return;
  if (platformMatches(wanted, image)) return;
  throw new EngineError(
    'notFound',
    `image with reference ${name} was found but does not provide the specified platform (${platformString(wanted)}): it is ${platformString(image)}`,
  );
}

function platformWarnings(image: Platform, wanted: Platform | undefined): string[] {
  if (wanted !== undefined || hostRuns(image)) return [];
  return [
    `The requested image's platform (${platformString(image)}) does not match the detected host platform (${platformString(hostPlatform())}) and no specific platform was requested`,
  ];
}
