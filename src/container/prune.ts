import type { Logger } from 'pino';
import type { Filters } from '../api/index.ts';
import { isCode } from '../errors/index.ts';
import { passesLabels, passesUntil } from '../lib/object-filters.ts';
import { OnePrune } from '../lib/one-prune.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { Container } from './record.ts';
import type { Restarts } from './restarts.ts';
import type { Stopper } from './stop.ts';
import type { ContainerStore } from './store.ts';

export interface PrunerDeps {
  readonly store: ContainerStore;
  readonly snapshots: Snapshotter;
  readonly stopper: Stopper;
  readonly restarts: Pick<Restarts, 'isPlanned'>;
  readonly logger: Logger;
}

/** Removes containers that do not run. */
export class Pruner {
  readonly #deps: PrunerDeps;
  readonly #one = new OnePrune();

  constructor(deps: PrunerDeps) {
    this.#deps = deps;
  }

  /** All that pass the filters (`until`, `label`, `label!`); goes on past those that cannot be removed. */
  async prune(filters: Filters): Promise<{ ContainersDeleted: string[]; SpaceReclaimed: number }> {
    return this.#one.run(async () => {
      const { store } = this.#deps;
      const deleted: string[] = [];
      let bytes = 0;
      for (const container of store.all().filter((one) => this.#isPrunable(one, filters))) {
        const size = await this.#size(container);
        if (!(await this.#remove(container))) continue;
        deleted.push(container.record.id);
        bytes += size;
      }
      store.notePrune(bytes);
      return { ContainersDeleted: deleted, SpaceReclaimed: bytes };
    });
  }

  #isPrunable({ record, state }: Container, filters: Filters): boolean {
    if (state.running || state.removing || this.#deps.restarts.isPlanned(record.id)) return false;
    return passesLabels(record.config.Labels, filters) && passesUntil(Date.parse(record.created), filters);
  }

  async #size({ record: { id } }: Container): Promise<number> {
    const { snapshots, logger } = this.#deps;
    try {
      return (await snapshots.usage(id)).bytes;
    } catch (error) {
      logger.debug({ container: id, err: error }, 'cannot tell the size of a container to prune');
      return 0;
    }
  }

  async #remove(container: Container): Promise<boolean> {
    const { stopper, logger } = this.#deps;
    try {
      await stopper.remove(container, { force: false, volumes: false });
      return true;
    } catch (error) {
      // Started, or removed by someone else, since it was picked.
      if (!isCode(error, 'conflict') && !isCode(error, 'notFound'))
        logger.warn({ container: container.record.id, err: error }, 'cannot prune a container');
      return false;
    }
  }
}
