import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readMemoryFile } from '../../lib/memory-files.ts';
import type { RuntimeStatus } from '../oci-runtime.ts';

/** The part of the runtime's own state file we use. Reading it takes 0.1 ms where `runc state` takes 10. */
export interface ContainerState {
  readonly pid: number;
  /** Clock ticks after boot; tells a process from a later one with the same pid. */
  readonly startTime: string;
  /** Controller to absolute path; `''` is the unified hierarchy. */
  readonly cgroupPaths: Readonly<Record<string, string>>;
  /** Programs to run at the end, among others. */
  readonly hasHooks: boolean;
}

export const startFifo = 'exec.fifo';

/** `undefined` when the runtime does not know the container. */
export function readContainerState(directory: string): ContainerState | undefined {
  const text = readMemoryFile(join(directory, 'state.json'));
  if (text === undefined) return readCrunState(directory);
  const state = JSON.parse(text) as {
    init_process_pid: number;
    init_process_start: number;
    cgroup_paths: Record<string, string>;
    config?: { Hooks?: object | null };
  };
  return {
    pid: state.init_process_pid,
    startTime: String(state.init_process_start),
    cgroupPaths: state.cgroup_paths,
    hasHooks: Object.values(state.config?.Hooks ?? {}).some((hooks) => hooks !== null),
  };
}

/** crun's equivalent; it runs on the unified hierarchy only. */
function readCrunState(directory: string): ContainerState | undefined {
  const text = readMemoryFile(join(directory, 'status'));
  if (text === undefined) return undefined;
  const status = JSON.parse(text) as {
    pid: number;
    'process-start-time': number;
    'cgroup-path': string;
  };
  return {
    pid: status.pid,
    startTime: String(status['process-start-time']),
    cgroupPaths: { '': join('/sys/fs/cgroup', status['cgroup-path']) },
    hasHooks: true,
  };
}

export function statusOf(directory: string, state: ContainerState): RuntimeStatus {
  if (!isAlive(state)) return 'stopped';
  if (existsSync(join(directory, startFifo))) return 'created';
  return isFrozen(state) ? 'paused' : 'running';
}

/** True while the container's first process is there and not a zombie. */
export function isAlive(state: ContainerState): boolean {
  const stat = readMemoryFile(`/proc/${state.pid}/stat`);
  if (stat === undefined) return false;
  // The command's name, in parentheses, may hold anything; the fields follow the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] !== 'Z' && fields[0] !== 'X' && fields[19] === state.startTime;
}

function isFrozen(state: ContainerState): boolean {
  const { freezer, '': unified } = state.cgroupPaths;
  if (freezer !== undefined) {
    return readMemoryFile(join(freezer, 'freezer.state'))?.trim() === 'FROZEN';
  }
  if (unified === undefined) return false;
  return /^frozen 1$/m.test(readMemoryFile(join(unified, 'cgroup.events')) ?? '');
}
