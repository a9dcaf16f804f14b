import { join } from 'node:path';
import { readMemoryFile } from '../../lib/memory-files.ts';

/** The names of everything the runtime keeps below its directory, which is on a tmpfs. */
export interface Layout {
  /** The low-level runtime's own state: a directory a container. */
  readonly root: string;
  /** Of all containers' monitors. */
  readonly containers: string;
  /** A monitor's directory (see `monitorFiles`) for a container, and for an exec. */
  container(id: string): string;
  exec(id: string, execId: string): string;
  /** All execs of a container, and of all containers. */
  execs(id: string): string;
  readonly allExecs: string;
}

export function layoutOf(run: string, program: string): Layout {
  const allExecs = join(run, 'x');
  const execs = (id: string) => join(allExecs, id);
  return {
    root: join(run, program),
    containers: join(run, 'c'),
    container: (id) => join(run, 'c', id),
    execs,
    allExecs,
    exec: (id, execId) => join(execs(id), execId),
  };
}

/** What lies in a monitor's directory. conmon writes all but `meta` and `process`. */
export const monitorFiles = {
  meta: 'meta.json',
  process: 'process.json',
  monitorPid: 'monitor.pid',
  pid: 'pid',
  exit: 'exit',
  oom: 'oom',
} as const;

/** What a later engine process has to know to talk to a monitor it did not start. */
export interface MonitorMeta {
  /** Where the attach socket is. */
  readonly sockets: string;
  readonly stdin: boolean;
  /** The end of a client's connection ends stdin. Not of execs, which have one client. */
  readonly stdinOnce?: boolean;
  readonly terminal: boolean;
  readonly endsWithEngine?: boolean;
}

/** `undefined` where there is no monitor's directory, or an engine was killed before it had begun one. */
export function readMeta(directory: string): MonitorMeta | undefined {
  const text = readMemoryFile(join(directory, monitorFiles.meta));
  return text === undefined || text === '' ? undefined : (JSON.parse(text) as MonitorMeta);
}
