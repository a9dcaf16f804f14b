import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readMemoryFile } from '../../lib/memory-files.ts';
import { directoriesIn, ifThere } from '../../lib/missing-files.ts';
import { removeEmptyCgroup } from '../../lib/remove-cgroup.ts';
import type { ContainerState } from './state.ts';

/** Every process in the container, nested cgroups included. */
export async function processesOf(state: ContainerState): Promise<number[]> {
  const root = state.cgroupPaths['devices'] ?? state.cgroupPaths['pids'] ?? state.cgroupPaths[''];
  return root === undefined ? [] : processesIn(root);
}

async function processesIn(directory: string): Promise<number[]> {
  const own = readMemoryFile(join(directory, 'cgroup.procs')) ?? '';
  const pids = own.split('\n').filter(Boolean).map(Number);
  for (const child of await directoriesIn(directory))
    pids.push(...(await processesIn(join(directory, child))));
  return pids;
}

/** True if the kernel killed a process of the container for memory. Works until the cgroup is removed. */
export function hadOomKill(state: ContainerState): boolean {
  const { memory, '': unified } = state.cgroupPaths;
  const file = memory === undefined ? 'memory.events' : 'memory.oom_control';
  const directory = memory ?? unified;
  if (directory === undefined) return false;
  const count = /^oom_kill (\d+)$/m.exec(readMemoryFile(join(directory, file)) ?? '')?.[1];
  return count !== undefined && count !== '0';
}

/** cgroup v1 delivers no signal, not even SIGKILL, to a frozen process. */
export async function thawForKill(state: ContainerState): Promise<void> {
  const { freezer } = state.cgroupPaths;
  if (freezer === undefined) return;
  const file = join(freezer, 'freezer.state');
  const frozen = readMemoryFile(file);
  if (frozen !== undefined && frozen.trim() !== 'THAWED') await ifThere(writeFile(file, 'THAWED'));
}

/** Removes an ended container's cgroups, nested ones too; false if something still runs in one. */
export async function removeCgroups(state: ContainerState): Promise<boolean> {
  const paths = new Set(Object.values(state.cgroupPaths));
  const removed = await Promise.all(Array.from(paths, (path) => removeEnded(path)));
  return removed.every(Boolean);
}

async function removeEnded(path: string): Promise<boolean> {
  if (await removeEmptyCgroup(path)) return true;
  const children = await directoriesIn(path);
  if (children.length === 0) return false;
  for (const child of children) {
    if (!(await removeEnded(join(path, child)))) return false;
  }
  return removeEnded(path);
}
