import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { engineConfig } from '../../src/config/index.ts';
import type { TestDaemon } from './daemon.ts';
import { namesIn, processes } from './proc.ts';

/** All that an engine holds of the machine, but its memory. Equal before and after means that nothing leaked. */
export interface EngineUsage {
  /** Command lines that name the engine's runtime directory: monitors and runtimes. */
  readonly processes: readonly string[];
  readonly mounts: readonly string[];
  readonly namespaces: number;
  readonly links: number;
  readonly cgroups: number;
  readonly rules: readonly string[];
  readonly descriptors: number;
  /** Of all monitors together. */
  readonly monitorDescriptors: number;
  readonly runtimeFiles: number;
  readonly files: number;
  /** Without the database, whose journal grows. */
  readonly diskKiB: number;
  /** By table; the journal left out. */
  readonly rows: Readonly<Record<string, number>>;
}

export function readUsage(daemon: TestDaemon): EngineUsage {
  const { root, run, instance, cgroupParent } = engineConfig({ root: daemon.root });
  const processes = processesNaming(run);
  return {
    processes: processes.map(({ command }) => command),
    mounts: linesWith('/proc/self/mountinfo', root),
    namespaces: namesIn('/run/netns').filter((name) => name.startsWith(`gty-${instance}-`)).length,
    links: namesIn('/sys/class/net').filter((name) => new RegExp(`^gt[yv]${instance}`).test(name)).length,
    cgroups: cgroupsBelow(cgroupParent),
    rules: rulesOf(instance),
    descriptors: descriptorsOf(daemon.pid),
    monitorDescriptors: processes.reduce((sum, { pid }) => sum + descriptorsOf(pid), 0),
    runtimeFiles: countFiles(run),
    files: countFiles(root),
    diskKiB: Number(output('du', '-skx', '--exclude=gantry.db*', root).split('\t')[0]),
    rows: rowsIn(join(root, 'gantry.db')),
  };
}

/** Memory that is the daemon's alone, KiB; pages of files are the kernel's to drop. */
export function memoryOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss_Anon:\s+(\d+)/m.exec(rollup)?.[1] ?? /^Private_Dirty:\s+(\d+)/m.exec(rollup)?.[1]);
}

function processesNaming(directory: string): { pid: number; command: string }[] {
  return processes()
    .map(({ pid, words }) => ({ pid, command: words.join(' ') }))
    .filter(({ command }) => command.includes(directory));
}

function linesWith(path: string, text: string): string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.includes(text))
    .map((line) => line.split(' ')[4] ?? '');
}

function cgroupsBelow(parent: string): number {
  const hierarchies = ['', ...namesIn('/sys/fs/cgroup')].map((name) => join('/sys/fs/cgroup', name, parent));
  return hierarchies.reduce((sum, path) => sum + directoriesIn(path).length, 0);
}

function directoriesIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return []; // A plain file, or no such hierarchy.
  }
}

/** Its own table whole, and what it put into the tables of others. */
function rulesOf(instance: string): string[] {
  const tables = output('nft', 'list', 'ruleset').split(/^(?=table )/m);
  return tables.flatMap((table) => {
    const lines = table.split('\n').map((line) => line.trim());
    return lines[0]?.includes(`gantry-${instance}`) ? lines : lines.filter((line) => line.includes(instance));
  });
}

function descriptorsOf(pid: number): number {
  return namesIn(`/proc/${pid}/fd`).length;
}

function countFiles(path: string): number {
  return output('find', path, '-xdev', '-not', '-name', 'gantry.db*').split('\n').length;
}

function rowsIn(path: string): Record<string, number> {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    const names = tables.map(({ name }) => String(name)).filter((name) => !/^(sqlite_|journal$)/.test(name));
    return Object.fromEntries(
      names.map((name) => [name, Number(db.prepare(`SELECT count(*) AS n FROM ${name}`).get()?.['n'])]),
    );
  } finally {
    db.close();
  }
}

function output(program: string, ...args: string[]): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    // nft warns of tables that iptables made.
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}
