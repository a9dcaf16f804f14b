import type { ContainerStatus } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import type { Connection } from '../network/index.ts';
import type { Exit } from '../runtime/index.ts';
import { type Container, type RunState, statusOf } from './record.ts';

export type Operation =
  | 'start'
  | 'stop'
  | 'kill'
  | 'pause'
  | 'unpause'
  | 'exec'
  | 'attach'
  | 'resize'
  | 'top'
  | 'remove';

type Refusal = (container: Container) => EngineError;

const id = (container: Container) => container.record.id;
export const notRunning: Refusal = (c) => new EngineError('conflict', `container ${id(c)} is not running`);
const removing: Refusal = (c) =>
  new EngineError('conflict', `container ${id(c)} is marked for removal and cannot be started`);
const isPaused: Refusal = (c) =>
  new EngineError('conflict', `Container ${id(c)} is paused, unpause the container before exec`);
export const isRestarting: Refusal = (c) =>
  new EngineError('conflict', `Container ${id(c)} is restarting, wait until the container is running`);
const alreadyRunning: Refusal = () => new EngineError('notModified', '');
const notPaused: Refusal = (c) => new EngineError('internal', `Container ${id(c)} is not paused`);

/** What each operation is refused with in each state; no entry means it may go on. Texts are Docker's. */
const refusals: Readonly<Record<Operation, Partial<Record<ContainerStatus, Refusal>>>> = {
  start: {
    running: alreadyRunning,
    restarting: alreadyRunning,
    paused: () => new EngineError('conflict', 'cannot start a paused container, try unpause instead'),
    removing,
    dead: removing,
  },
  stop: { created: alreadyRunning, exited: alreadyRunning, dead: alreadyRunning, removing: alreadyRunning },
  kill: { created: notRunning, exited: notRunning, dead: notRunning, removing: notRunning },
  pause: {
    created: notRunning,
    exited: notRunning,
    dead: notRunning,
    removing: notRunning,
    restarting: isRestarting,
    paused: (c) => new EngineError('conflict', `Container ${id(c)} is already paused`),
  },
  unpause: {
    created: notPaused,
    exited: notPaused,
    dead: notPaused,
    removing: notPaused,
    restarting: notPaused,
    running: notPaused,
  },
  exec: {
    created: notRunning,
    exited: notRunning,
    dead: notRunning,
    removing: notRunning,
    restarting: isRestarting,
    paused: isPaused,
  },
  attach: {
    paused: (c) =>
      new EngineError('conflict', `container ${id(c)} is paused, unpause the container before attach`),
    restarting: (c) =>
      new EngineError('conflict', `container ${id(c)} is restarting, wait until the container is running`),
    removing,
    dead: removing,
  },
  resize: {
    created: notRunning,
    exited: notRunning,
    dead: notRunning,
    removing: notRunning,
    restarting: notRunning,
  },
  top: {
    created: notRunning,
    exited: notRunning,
    dead: notRunning,
    removing: notRunning,
    restarting: isRestarting,
  },
  remove: {
    removing: (c) => new EngineError('conflict', `removal of container ${id(c)} is already in progress`),
    running: running('container is running: stop the container before removing or force remove'),
    paused: running('container is paused and must be unpaused first'),
    restarting: running('container is restarting: stop the container before removing or force remove'),
  },
};

function running(reason: string): Refusal {
  return (c) => new EngineError('conflict', `cannot remove container "${c.record.name.slice(1)}": ${reason}`);
}

/** Throws Docker's error when `operation` is not possible in the container's state. */
export function assertCan(operation: Operation, container: Container): void {
  const refusal = refusals[operation][statusOf(container.state)];
  if (refusal !== undefined) throw refusal(container);
}

/** Throws `conflict` while a container is on its way to another configuration. */
export function assertSettled({ record, state }: Container): void {
  if (state.reconfiguration === undefined) return;
  throw new EngineError('conflict', `Container ${record.id} is being reconfigured, wait until it is done`);
}

/** One run has begun, by a client (which resets the count of restarts) or by the restart policy. */
export interface NewRun {
  readonly pid: number;
  readonly at: Date;
  readonly connection: Connection | undefined;
  readonly byPolicy: boolean;
}

export function started(state: RunState, run: NewRun): RunState {
  const {
    connection: _old,
    filesOf: _older,
    health: _before,
    ending: _past,
    updating: _done,
    committing: _frozen,
    reconfiguration: _change,
    ...rest
  } = state;
  return {
    ...rest,
    running: true,
    paused: false,
    restarting: false,
    pid: run.pid,
    exitCode: 0,
    oomKilled: false,
    error: '',
    startedAt: run.at.toISOString(),
    stoppedByUser: false,
    restartCount: run.byPolicy ? state.restartCount : 0,
    ...(run.connection === undefined ? {} : { connection: run.connection }),
  };
}

export function exited(state: RunState, exit: Exit, restarting: boolean): RunState {
  const { connection: _gone, filesOf: _older, committing: _frozen, health, ...rest } = state;
  return {
    ...rest,
    // Docker's word for a container that nobody checks any more.
    ...(health === undefined ? {} : { health: { ...health, Status: 'unhealthy' } }),
    running: restarting,
    restarting,
    paused: false,
    pid: 0,
    exitCode: exit.exitCode,
    oomKilled: state.oomKilled || exit.oomKilled,
    finishedAt: exit.finishedAt.toISOString(),
    restartCount: restarting ? state.restartCount + 1 : state.restartCount,
  };
}

/** A start that failed: Docker leaves the state it had, with the reason and the code a shell would give. */
export function startFailed(state: RunState, error: { message: string; exitCode: number }): RunState {
  const { connection: _gone, filesOf: _older, committing: _frozen, ...rest } = state;
  return {
    ...rest,
    running: false,
    restarting: false,
    pid: 0,
    error: error.message,
    exitCode: error.exitCode,
  };
}
