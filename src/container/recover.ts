import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Networks } from '../network/index.ts';
import type { Exit, OciRuntime, RuntimeStatus } from '../runtime/index.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { Launcher } from './launch.ts';
import type { Lifecycle } from './lifecycle.ts';
import { mendFiles } from './membership.ts';
import { type Container, neededVolumes, type RunState, volumesOf, zeroTime } from './record.ts';
import type { Remover } from './remove.ts';
import { startsWithDaemon } from './restart.ts';
import type { Ending } from './runs/run.ts';
import { unmountShm } from './shared-memory.ts';
import type { ContainerStore } from './store.ts';
import { applyLimits } from './update.ts';

export interface RecoverDeps {
  readonly store: ContainerStore;
  readonly lifecycle: Lifecycle;
  readonly launcher: Launcher;
  readonly remover: Remover;
  readonly runtime: OciRuntime;
  readonly networks: Networks;
  readonly storage: {
    readonly snapshots: Snapshotter;
    readonly volumes: Volumes;
    readonly directory: string;
  };
  readonly logger: Logger;
}

/**
 * Makes the rows agree with the kernel after the engine was away: finds running containers again, ends those that
 * ended meanwhile, finishes removals and drops what no row knows.
 */
export async function recover(deps: RecoverDeps): Promise<void> {
  const { store, runtime, networks } = deps;
  const alive: { readonly container: Container; readonly status: RuntimeStatus }[] = [];
  const gone: Container[] = [];
  for (const container of store.all()) {
    // Its making was not synced: after a power loss it may be gone.
    await mkdir(join(deps.storage.directory, container.record.id), { recursive: true, mode: 0o710 });
    const status = await runtime.state(container.record.id);
    const runs = status !== undefined && (status.status === 'running' || status.status === 'paused');
    const ran = container.state.running && !container.state.restarting;
    if (ran) deps.storage.volumes.adopt(container.record.id, volumesOf(container.record.mounts));
    if (ran && runs) {
      alive.push({ container, status: status.status });
    } else {
      gone.push(container);
    }
  }
  await networks.recover(
    alive.flatMap(({ container: { record, state } }) =>
      state.connection === undefined
        ? []
        : [{ containerId: record.id, containerName: record.name.slice(1), connection: state.connection }],
    ),
    store
      .all()
      .flatMap(({ record, state: { reconfiguration } }) =>
        reconfiguration === undefined
          ? []
          : [{ containerId: record.id, addresses: reconfiguration.addresses }],
      ),
  );
  for (const container of gone) await settle(container, deps);
  await dropUnknown(deps);
  await runtime.recoverExecs();
  for (const { container, status } of alive) {
    await resumeUpdate(container, deps);
    await resumeFiles(container, deps);
    deps.lifecycle.follow(adopt(container, await thawed(container, status, deps), store));
  }
}

/** Lets one go on that a commit had frozen when the engine was killed. Returns how it is then. */
async function thawed(
  { record: { id }, state }: Container,
  status: RuntimeStatus,
  { store, runtime, logger }: RecoverDeps,
): Promise<RuntimeStatus> {
  if (state.committing !== true) return status;
  try {
    if (status === 'paused' && !state.paused) await runtime.resume(id);
    store.transition(id, ({ committing: _done, ...rest }) => rest);
    return state.paused ? status : 'running';
  } catch (error) {
    logger.error({ container: id, err: error }, 'cannot thaw a container that a commit had frozen');
    return status;
  }
}

/** A running container as it is: the kernel knows whether it is paused, and a stop that it outlived has not been. */
function adopt(
  { record: { id }, state }: Container,
  status: RuntimeStatus,
  store: ContainerStore,
): Container {
  const paused = status === 'paused';
  if (state.paused === paused && !state.stoppedByUser) return store.current(id);
  return store.transition(id, (before) => ({ ...before, paused, stoppedByUser: false }));
}

async function resumeUpdate(container: Container, deps: RecoverDeps): Promise<void> {
  if (container.state.updating !== true) return;
  try {
    await applyLimits(container, deps);
  } catch (error) {
    deps.logger.error({ container: container.record.id, err: error }, 'cannot finish the update');
  }
}

async function resumeFiles(container: Container, deps: RecoverDeps): Promise<void> {
  try {
    await mendFiles(container, deps);
  } catch (error) {
    deps.logger.error(
      { container: container.record.id, err: error },
      'cannot mend the files of the container',
    );
  }
}

/** The ids of the containers that do not run and whose restart policy wants them to. */
export function wantedByPolicy(store: ContainerStore): string[] {
  return store
    .all()
    .filter(
      ({ record, state }) =>
        !state.running &&
        state.reconfiguration === undefined &&
        startsWithDaemon(record.hostConfig.RestartPolicy, lastRun(state)),
    )
    .map(({ record }) => record.id);
}

/** A container that does not run: what its row says of running is history, and what it left in the kernel goes. */
async function settle(container: Container, deps: RecoverDeps): Promise<void> {
  const { store, lifecycle, remover, runtime, logger } = deps;
  const { id } = container.record;
  try {
    using _held = await lifecycle.locks.acquire(id);
    if (container.state.running && !container.state.restarting) {
      const exit = await runtime.exit(id);
      if (exit === undefined) store.transition(id, (state) => ({ ...state, ending: lostEnding() }));
      await lifecycle.ended(id, exit ?? lostExit());
    } else if (container.state.restarting) {
      // The restart that it was counted for has not been made.
      store.transition(id, ({ restartCount, ...state }) => ({
        ...state,
        running: false,
        restarting: false,
        restartCount: restartCount - 1,
      }));
    }
    const current = store.get(id);
    if (current === undefined) return;
    const AutoRemove = current.record.hostConfig.AutoRemove && current.state.reconfiguration === undefined;
    if (current.state.removing || AutoRemove) {
      await remover.remove(id, { volumes: AutoRemove || current.state.removingVolumes === true });
    } else if (!current.state.running) {
      // What a start left that was cut off before its row was written.
      await runtime.delete(id, { force: true });
      unmountShm(join(deps.storage.directory, id));
      await deps.storage.snapshots.unmount(id);
    }
  } catch (error) {
    logger.error({ container: id, err: error }, 'cannot recover the container');
  }
}

function lostEnding(): Ending {
  return { action: 'lost', signal: 0, at: new Date().toISOString(), deaf: false, forced: false };
}

/** The machine went down with it: nobody saw its end. */
function lostExit(): Exit {
  return { exitCode: 255, oomKilled: false, finishedAt: new Date() };
}

function lastRun(state: RunState): Parameters<typeof startsWithDaemon>[1] {
  const { stoppedByUser, exitCode, restartCount, startedAt } = state;
  return { stoppedByUser, exitCode, restartCount, hasRun: startedAt !== zeroTime };
}

/** Trees, directories and runtime states without a row: half-made containers and cut-off build steps. */
async function dropUnknown({ store, runtime, storage }: RecoverDeps): Promise<void> {
  for (const id of await runtime.list())
    if (store.get(id) === undefined) await runtime.delete(id, { force: true });
  for (const key of storage.snapshots.list().active)
    if (store.get(key) === undefined) await storage.snapshots.remove(key);
  for (const id of await readdir(storage.directory)) {
    if (store.get(id) !== undefined) continue;
    unmountShm(join(storage.directory, id));
    await rm(join(storage.directory, id), { recursive: true, force: true });
  }
  await storage.volumes.recover(
    new Map(store.all().map((container) => [container.record.id, neededVolumes(container)])),
  );
}
