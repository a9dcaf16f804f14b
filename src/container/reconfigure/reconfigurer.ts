import type { Logger } from 'pino';
import type { ReconfigureRequest, ReconfigureResponse } from '../../api/index.ts';
import { codeOf, EngineError, isCode, messageOf } from '../../errors/index.ts';
import type { Images } from '../../image/index.ts';
import type { Addresses, Networks } from '../../network/index.ts';
import type { Snapshotter } from '../../snapshot/index.ts';
import type { Volumes } from '../../volume/index.ts';
import type { ReconfigureOptions, StopOptions } from '../containers.ts';
import { fillVolumes } from '../fill-volumes.ts';
import type { HostFacts } from '../host-facts.ts';
import { portsOf } from '../launch.ts';
import type { Lifecycle } from '../lifecycle.ts';
import { makeMounts } from '../mount-points.ts';
import {
  type Container,
  type ContainerMount,
  neededVolumes,
  type Reconfiguration,
  type Settings,
} from '../record.ts';
import type { Remover } from '../remove.ts';
import { joinedContainer } from '../spec/index.ts';
import type { Stopper } from '../stop.ts';
import type { ContainerStore } from '../store.ts';
import { assertSettled } from '../transitions.ts';
import { keptMounts, planReconfiguration, type ReconfigurePlan } from './plan.ts';
import type { Wishes } from './settings.ts';

export interface ReconfigurerDeps {
  readonly store: ContainerStore;
  readonly services: {
    readonly images: Pick<Images, 'resolve'>;
    readonly networks: Networks;
    readonly volumes: Volumes;
    readonly snapshots: Pick<Snapshotter, 'mount' | 'unmount'>;
  };
  readonly host: HostFacts;
  readonly lifecycle: Lifecycle;
  readonly stopper: Stopper;
  readonly remover: Remover;
  readonly logger: Logger;
}

/**
 * Gives containers that exist other ports, variables, mounts and labels. Id, name, writable layer, addresses, log and
 * the volumes of mounts that stay are the same afterwards. What is wrong is found, as far as it can be, while a running
 * container still runs; if it then does not start in the new way it is started in the old one. Each step is in the row
 * before it is taken, so that the next start of the engine goes on where this one was killed.
 */
export class Reconfigurer {
  readonly #deps: ReconfigurerDeps;

  constructor(deps: ReconfigurerDeps) {
    this.#deps = deps;
  }

  async reconfigure(
    id: string,
    request: ReconfigureRequest,
    options: ReconfigureOptions,
  ): Promise<ReconfigureResponse> {
    const { changes, restarts, warnings } = await this.#begin(id, request, options);
    if (restarts && !options.dryRun) await this.#carryOut(id);
    return { Changes: changes, Restarted: restarts, Warnings: warnings };
  }

  /** Goes on, in the background, with what an engine that was killed had begun. */
  resume(): void {
    const { store, logger } = this.#deps;
    for (const { record, state } of store.all()) {
      if (state.reconfiguration === undefined) continue;
      const { step } = state.reconfiguration;
      logger.info({ container: record.id, step }, 'going on with the change of a container');
      this.#carryOut(record.id).catch((error: unknown) => {
        logger.warn({ container: record.id, err: error }, 'cannot go on with the change of a container');
      });
    }
  }

  /** All that needs no stop; else the intent of it. */
  async #begin(
    id: string,
    request: ReconfigureRequest,
    { dryRun, stop }: ReconfigureOptions,
  ): Promise<ReconfigurePlan> {
    const { store, lifecycle, services } = this.#deps;
    using _held = await lifecycle.locks.acquire(id);
    const container = store.current(id);
    assertReconfigurable(container);
    const plan = planReconfiguration(container, request, {
      imagePorts: this.#imagePorts(container),
      host: this.#deps.host,
    });
    if (dryRun || plan.changes.length === 0) return plan;
    if (plan.restarts && canPublish(plan.wishes)) {
      const portBindings = portsOf({ ...container.record, ...plan.wishes });
      await services.networks.probePorts({ containerId: id, portBindings });
    }
    const made = await this.#makeMounts(container, plan);
    const next: Settings = { ...plan.wishes, mounts: [...keptMounts(container.record, plan), ...made] };
    try {
      // One may have been removed meanwhile.
      for (const { image } of made) if (image !== undefined) services.images.resolve(image.id);
      if (plan.restarts) this.#intend(store.current(id), next, stop);
      else await this.#change(id, { next, made, plan });
    } catch (error) {
      await this.#forgetVolumes(id, made);
      throw error;
    }
    return plan;
  }

  #imagePorts({ record }: Container): string[] {
    try {
      return Object.keys(
        this.#deps.services.images.resolve(record.imageId).config.config?.ExposedPorts ?? {},
      );
    } catch (error) {
      // The image was removed by force.
      if (isCode(error, 'notFound')) return [];
      throw error;
    }
  }

  async #makeMounts(container: Container, { newMounts }: ReconfigurePlan): Promise<ContainerMount[]> {
    const { volumes, images } = this.#deps.services;
    try {
      return await makeMounts(newMounts, { volumes, images });
    } catch (error) {
      volumes.setUses(container.record.id, neededVolumes(container));
      throw error;
    }
  }

  /** Ports of a running container at once; of one that does not run, everything. */
  async #change(id: string, { next, made, plan: { changedPorts } }: Change): Promise<void> {
    const { store, services } = this.#deps;
    const before = store.current(id);
    await this.#fill(before, made);
    let { connection } = before.state;
    if (connection !== undefined && changedPorts.length > 0) {
      const portBindings = portsOf({ ...before.record, ...next });
      const request = { containerId: id, containerName: nameOf(before), portBindings, changed: changedPorts };
      connection = await services.networks.republish(request, connection);
    }
    // Name and health may have changed meanwhile.
    const { record, state } = store.current(id);
    const changed = store.save(
      {
        record: { ...record, ...next },
        state: connection === undefined ? state : { ...state, connection },
      },
      { action: 'update' },
    );
    services.volumes.setUses(id, neededVolumes(changed));
  }

  async #fill({ record: { id, hostConfig } }: Container, made: readonly ContainerMount[]): Promise<void> {
    const request = { containerId: id, mounts: made, autoRemove: hostConfig.AutoRemove };
    await fillVolumes(request, this.#deps.services);
  }

  #intend({ record, state }: Container, next: Settings, stop: StopOptions): void {
    const endpoints = Object.values(state.connection?.endpoints ?? {});
    const addresses: Addresses = Object.fromEntries(
      endpoints.flatMap(({ NetworkID, IPAddress }) => (IPAddress === '' ? [] : [[NetworkID, IPAddress]])),
    );
    this.#setStep({ record, state }, { step: 'stop', next, stop, addresses });
  }

  async #carryOut(id: string): Promise<void> {
    const { store, services, lifecycle } = this.#deps;
    const addresses = store.current(id).state.reconfiguration?.addresses ?? {};
    services.networks.hold({ containerId: id, addresses });
    try {
      await this.#stop(id);
      using _held = await lifecycle.locks.acquire(id);
      this.#switch(store.current(id));
      await this.#start(store.current(id));
    } finally {
      services.networks.letGo(id);
    }
  }

  async #stop(id: string): Promise<void> {
    const { store, stopper } = this.#deps;
    const container = store.current(id);
    const { reconfiguration } = container.state;
    if (reconfiguration?.step !== 'stop' || !container.state.running) return;
    try {
      await stopper.stop(container, reconfiguration.stop, 'reconfigure');
    } catch (error) {
      // It ended by itself just now.
      if (isCode(error, 'notModified')) return;
      // The next start of the engine goes on with it.
      if (isCode(error, 'cancelled')) throw error;
      const still = store.get(id);
      if (still?.state.reconfiguration?.step === 'stop') {
        const { next } = still.state.reconfiguration;
        this.#setStep(still, undefined);
        await this.#forgetVolumes(id, next.mounts);
      }
      throw error;
    }
  }

  #switch({ record, state }: Container): void {
    const { reconfiguration } = state;
    if (reconfiguration?.step !== 'stop') return;
    const { next, addresses } = reconfiguration;
    const { config, hostConfig, mounts } = record;
    const previous = { config, hostConfig, mounts };
    this.#deps.store.save(
      {
        record: { ...record, ...next },
        state: { ...state, reconfiguration: { step: 'start', previous, addresses } },
      },
      { action: 'update' },
    );
  }

  /** In the new way, else in the old one. */
  async #start(container: Container): Promise<void> {
    const { store, services, lifecycle } = this.#deps;
    const { reconfiguration } = container.state;
    const { id } = container.record;
    if (reconfiguration?.step !== 'start') {
      await this.#startAgain(container);
      return;
    }
    const { previous, addresses } = reconfiguration;
    try {
      await this.#fill(container, addedMounts(container.record.mounts, previous.mounts));
      await lifecycle.startHeld(container, false);
    } catch (error) {
      // The next start of the engine goes on with it.
      if (isCode(error, 'cancelled')) throw error;
      const failed = store.current(id);
      const restored = store.save(
        {
          record: { ...failed.record, ...previous },
          state: {
            ...failed.state,
            reconfiguration: { step: 'restore', failure: messageOf(error), addresses },
          },
        },
        { action: 'update' },
      );
      await this.#forgetVolumes(id, failed.record.mounts);
      await this.#startAgain(restored);
      throw new EngineError(
        codeOf(error),
        `Cannot update container ${nameOf(container)}, which runs again as it was: ${messageOf(error)}`,
        { cause: error },
      );
    }
    services.volumes.setUses(id, neededVolumes(store.current(id)));
  }

  /** As it was before. Throws what names both reasons if it does not start. */
  async #startAgain(container: Container): Promise<void> {
    const { lifecycle, remover } = this.#deps;
    const { id, hostConfig } = container.record;
    const { reconfiguration } = container.state;
    if (reconfiguration?.step !== 'restore') return;
    try {
      await lifecycle.startHeld(container, false);
    } catch (error) {
      if (isCode(error, 'cancelled')) throw error;
      this.#setStep(this.#deps.store.current(id), undefined);
      if (hostConfig.AutoRemove) await remover.remove(id, { volumes: true });
      throw new EngineError(
        codeOf(error),
        `Cannot update container ${nameOf(container)}: ${reconfiguration.failure}; nor does it start as it was: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }

  #setStep({ record, state }: Container, reconfiguration: Reconfiguration | undefined): void {
    const { reconfiguration: _before, ...rest } = state;
    this.#deps.store.save({
      record,
      state: reconfiguration === undefined ? rest : { ...rest, reconfiguration },
    });
  }

  /** The container does not use what was made for it; what has no name of the user's goes. */
  async #forgetVolumes(id: string, made: readonly ContainerMount[]): Promise<void> {
    const { store, services } = this.#deps;
    const needed = neededVolumes(store.current(id));
    services.volumes.setUses(id, needed);
    for (const { Name, anonymous } of made) {
      if (anonymous !== true || Name === undefined || needed.includes(Name)) continue;
      await services.volumes.remove(Name, { force: true });
    }
  }
}

interface Change {
  readonly next: Settings;
  /** Those of its mounts that were made for it. */
  readonly made: readonly ContainerMount[];
  readonly plan: ReconfigurePlan;
}

function addedMounts(now: readonly ContainerMount[], before: readonly ContainerMount[]): ContainerMount[] {
  return now.filter((mount) => {
    return !before.some(({ Name, Destination }) => Name === mount.Name && Destination === mount.Destination);
  });
}

function nameOf({ record }: Container): string {
  return record.name.slice(1);
}

function canPublish({ hostConfig: { NetworkMode: mode } }: Wishes): boolean {
  return mode !== 'host' && mode !== 'none' && joinedContainer(mode) === undefined;
}

function assertReconfigurable(container: Container): void {
  const { record, state } = container;
  assertSettled(container);
  if (!state.removing && !state.dead) return;
  throw new EngineError(
    'conflict',
    `Cannot update container ${record.id}: container is marked for removal and cannot be "update"`,
  );
}
