import { readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, hasErrno } from '../../src/errors/index.ts';
import type { Attachment } from '../../src/runtime/index.ts';
import { statFields } from './proc.ts';

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** All output, to its end. */
export async function collect(attachment: Attachment): Promise<{ stdout: string; stderr: string }> {
  const result = { stdout: '', stderr: '' };
  for await (const { stream, data } of attachment.output) result[stream] += data.toString();
  return result;
}

export async function firstLine(attachment: Attachment): Promise<string> {
  for await (const { data } of attachment.output) return data.toString();
  return '';
}

/** The runtime removes each container's cgroup, not the one above it. */
export async function removeCgroups(name: string): Promise<void> {
  const hierarchies = await readdir('/sys/fs/cgroup', { withFileTypes: true });
  const paths = hierarchies.filter((entry) => entry.isDirectory()).map((entry) => join(entry.name, name));
  for (const path of [name, ...paths]) {
    try {
      await rmdir(join('/sys/fs/cgroup', path));
    } catch (error) {
      // Another test process may be using it.
      if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'EBUSY') && !hasErrno(error, 'ENOTDIR')) throw error;
    }
  }
}

export function conflict(error: unknown): boolean {
  return codeOf(error) === 'conflict';
}

export async function killMonitors(run: string, id: string): Promise<void> {
  for (const pid of await monitorsOf(run, id)) process.kill(pid, 'SIGKILL');
}

/** Hundredths of a second that processes have of the processor in this time. */
export async function ticksIn(timeMs: number, pids: readonly number[]): Promise<number[]> {
  const before = pids.map(ticksOf);
  await sleep(timeMs);
  return pids.map((pid, index) => ticksOf(pid) - (before[index] ?? 0));
}

function ticksOf(pid: number): number {
  const fields = statFields(pid);
  return Number(fields[11]) + Number(fields[12]);
}

/** The monitors of a container of the runtime on `run`. */
export async function monitorsOf(run: string, id: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (line.startsWith('conmon\0') && line.includes(run) && line.includes(id)) found.push(Number(name));
  }
  return found;
}
