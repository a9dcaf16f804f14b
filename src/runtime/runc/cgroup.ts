import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../../errors/index.ts';
import { type ContainerState, readOptional } from './state.ts';

/** Every process in the container, nested cgroups included. */
export async function processesOf(state: ContainerState): Promise<number[]> {
  const root = state.cgroupPaths['devices'] ?? state.cgroupPaths['pids'] ?? state.cgroupPaths[''];
  return root === undefined ? [] : processesIn(root);
}

async function processesIn(directory: string): Promise<number[]> {
  const own = (await readOptional(join(directory, 'cgroup.procs'))) ?? '';
  const pids = own.split('\n').filter(Boolean).map(Number);
  for (const child of await childrenOf(directory)) pids.push(...(await processesIn(join(directory, child))));
  return pids;
}

async function childrenOf(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** True if the kernel killed a process of the container for memory. Works until the cgroup is removed. */
export async function hadOomKill(state: ContainerState): Promise<boolean> {
  const { memory, '': unified } = state.cgroupPaths;
  const file = memory === undefined ? 'memory.events' : 'memory.oom_control';
  const directory = memory ?? unified;
  if (directory === undefined) return false;
  const count = /^oom_kill (\d+)$/m.exec((await readOptional(join(directory, file))) ?? '')?.[1];
  return count !== undefined && count !== '0';
}

/** cgroup v1 delivers no signal, not even SIGKILL, to a frozen process. */
export async function thawForKill(state: ContainerState): Promise<void> {
  const { freezer } = state.cgroupPaths;
  if (freezer === undefined) return;
  if ((await readOptional(join(freezer, 'freezer.state')))?.trim() === 'THAWED') return;
  await writeFile(join(freezer, 'freezer.state'), 'THAWED');
}
