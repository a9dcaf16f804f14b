import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { isCode, messageOf } from '../errors/index.ts';
import type { Images } from '../image/index.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { Launcher } from './launch.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerStore } from './store.ts';
import type { Waiters } from './waiters.ts';

/** Works on the logs of containers in the background. */
export interface LogKeeper {
  /** Before a container is removed: lets go of its log. */
  release(id: string): Promise<void>;
}

export interface RemoverDeps {
  readonly store: ContainerStore;
  readonly launcher: Launcher;
  readonly storage: {
    readonly snapshots: Snapshotter;
    readonly volumes: Volumes;
    readonly images: Pick<Images, 'resolve' | 'collectGarbage'>;
    readonly directory: string;
  };
  readonly logKeepers: readonly LogKeeper[];
  readonly waiters: Waiters;
  readonly logger: Logger;
}

/** Takes a container away, its row last. */
export class Remover {
  readonly #deps: RemoverDeps;

  constructor(deps: RemoverDeps) {
    this.#deps = deps;
  }

  /** The container does not run and the caller holds its lock. A failure leaves it `dead`, to be removed again. */
  async remove(id: string, options: { readonly volumes: boolean }): Promise<void> {
    const { store, launcher, storage, logKeepers, waiters } = this.#deps;
    const { record, state } = store.transition(id, (before) => ({
      ...before,
      removing: true,
      removingVolumes: options.volumes,
      dead: false,
    }));
    try {
      await launcher.tearDown(store.current(id));
      await Promise.all(logKeepers.map((keeper) => keeper.release(id)));
      await Promise.all([
        storage.snapshots.remove(id),
        rm(join(storage.directory, id), { recursive: true, force: true }),
      ]);
      if (options.volumes) await storage.volumes.removeAnonymous(id);
      store.delete(id, () => {
        storage.volumes.detach(id);
      });
    } catch (error) {
      store.transition(id, (before) => ({ ...before, removing: false, dead: true, error: messageOf(error) }));
      waiters.removed(id, state.exitCode, messageOf(error));
      throw error;
    }
    waiters.removed(id, state.exitCode);
    this.#collectImage(record);
  }

  /** An image removed by force while this container used it: its layers had to wait for this moment. */
  #collectImage({ imageId }: ContainerRecord): void {
    const { storage, logger } = this.#deps;
    try {
      storage.images.resolve(imageId);
    } catch (error) {
      if (!isCode(error, 'notFound')) throw error;
      storage.images.collectGarbage().catch((failure: unknown) => {
        logger.warn({ image: imageId, err: failure }, 'cannot remove the layers of an image that is gone');
      });
    }
  }
}
