import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { isCode, messageOf } from '../errors/index.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { Launcher } from './launch.ts';
import type { ContainerStore } from './store.ts';
import type { Waiters } from './waiters.ts';

export interface RemoverDeps {
  readonly store: ContainerStore;
  readonly launcher: Launcher;
  readonly storage: {
    readonly snapshots: Snapshotter;
    readonly volumes: Volumes;
    readonly directory: string;
  };
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
    const { store, launcher, storage, waiters } = this.#deps;
    const { state } = store.transition(id, (before) => ({ ...before, removing: true, dead: false }));
    try {
      await launcher.tearDown(store.current(id));
      await Promise.all([
        storage.snapshots.remove(id),
        rm(join(storage.directory, id), { recursive: true, force: true }),
      ]);
      const anonymous = storage.volumes.detach(id);
      if (options.volumes) await this.#removeVolumes(anonymous);
      store.delete(id);
    } catch (error) {
      store.transition(id, (before) => ({ ...before, removing: false, dead: true, error: messageOf(error) }));
      waiters.removed(id, state.exitCode, messageOf(error));
      throw error;
    }
    waiters.removed(id, state.exitCode);
  }

  async #removeVolumes(names: readonly string[]): Promise<void> {
    for (const name of names) {
      try {
        await this.#deps.storage.volumes.remove(name, { force: true });
      } catch (error) {
        // Another container mounts it too (--volumes-from): it goes with that one.
        if (!isCode(error, 'conflict')) throw error;
        this.#deps.logger.debug({ volume: name }, 'an anonymous volume is still in use');
      }
    }
  }
}
