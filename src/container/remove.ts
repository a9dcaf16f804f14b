import type { Logger } from 'pino';
import { messageOf } from '../errors/index.ts';
import type { Images } from '../image/index.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { Launcher } from './launch.ts';
import { type Container, mountedImages } from './record.ts';
import type { ContainerStore } from './store.ts';
import type { Waiters } from './waiters.ts';

/** Works on the logs of containers in the background. */
export interface LogKeeper {
  /** Before a container is removed: lets go of its log. */
  release(id: string): Promise<void>;
}

export interface RemoveContainer {
  readonly volumes: boolean;
  /** Nothing is left of its last run but what the runtime keeps of the exit, which goes without this. */
  readonly tornDown?: boolean;
}

export interface RemoverDeps {
  readonly store: ContainerStore;
  readonly launcher: Launcher;
  readonly storage: {
    readonly snapshots: Snapshotter;
    readonly volumes: Volumes;
    readonly images: Pick<Images, 'find' | 'collectGarbage'>;
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
  async remove(id: string, { volumes, tornDown }: RemoveContainer): Promise<void> {
    const { store, launcher, storage, logKeepers, waiters } = this.#deps;
    const removing = store.transition(id, (before) => ({
      ...before,
      removing: true,
      removingVolumes: volumes,
      dead: false,
    }));
    try {
      if (tornDown !== true) await launcher.tearDown(removing);
      await Promise.all(logKeepers.map((keeper) => keeper.release(id)));
      await Promise.all([storage.snapshots.remove(id), launcher.removeDirectory(id)]);
      if (volumes) await storage.volumes.removeAnonymous(id);
      store.delete(id, () => {
        storage.volumes.detach(id);
      });
    } catch (error) {
      store.transition(id, (before) => ({ ...before, removing: false, dead: true, error: messageOf(error) }));
      waiters.removed(id, removing.state.exitCode, messageOf(error));
      throw error;
    }
    waiters.removed(id, removing.state.exitCode);
    this.#collectImages(removing);
  }

  /** Images removed by force while this container used them: their layers had to wait for this moment. */
  #collectImages(container: Container): void {
    const { storage, logger } = this.#deps;
    const used = [container.record.imageId, ...mountedImages(container).map(({ id }) => id)];
    if (used.every((id) => storage.images.find(id) !== undefined)) return;
    storage.images.collectGarbage().catch((failure: unknown) => {
      logger.warn({ err: failure }, 'cannot remove the layers of an image that is gone');
    });
  }
}
