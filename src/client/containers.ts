import type { Duplex, Readable, Writable } from 'node:stream';
import type {
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerInspect,
  ContainerRun,
  ContainerSummary,
  ExecCreateRequest,
  ExecInspect,
  FilesystemChange,
  HostConfig,
  PathStat,
  ReconfigureRequest,
  ReconfigureResponse,
} from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { demultiplex, rawOutput, type StdioChunk } from './demultiplex.ts';
import { type FilterValues, filtersText } from './filter-values.ts';
import { jsonObjects } from './json-stream.ts';
import type { Transport } from './transport.ts';

export type { StdioChunk } from './demultiplex.ts';

/** A container's (or exec's) stdio on a connection of its own. */
export interface StdioConnection extends Disposable {
  /** Ending it closes the process's stdin; output goes on. */
  readonly input: Writable;
  /** Ends when the process has ended or detached. */
  readonly output: AsyncIterable<StdioChunk>;
}

export interface ContainerListQuery {
  readonly all?: boolean;
  readonly limit?: number;
  readonly size?: boolean;
  readonly filters?: FilterValues;
  readonly signal?: AbortSignal;
}

export interface AttachQuery {
  /** Whether the container has a terminal; then its output is not framed. */
  readonly tty: boolean;
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  /** Replays the log first. */
  readonly logs?: boolean;
  readonly detachKeys?: string;
  readonly signal?: AbortSignal;
}

export interface LogsQuery {
  readonly tty: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly follow?: boolean;
  readonly timestamps?: boolean;
  readonly details?: boolean;
  /** A line count or `all`. */
  readonly tail?: string;
  /** Unix seconds with fraction. */
  readonly since?: string;
  readonly until?: string;
  readonly signal?: AbortSignal;
}

export interface StopQuery {
  readonly signal?: string;
  readonly timeoutSeconds?: number;
  /** What to do when the signal can have no effect; default the daemon's. A Gantry daemon only. */
  readonly deaf?: 'wait' | 'kill';
}

export interface WaitAnswer {
  readonly StatusCode: number;
  readonly Error?: { readonly Message: string } | null;
}

export interface TopAnswer {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[] | null;
}

export interface CommitQuery {
  readonly repository?: string;
  readonly tag?: string;
  readonly comment?: string;
  readonly author?: string;
  readonly pause?: boolean;
  readonly changes?: readonly string[];
}

export interface TerminalSize {
  readonly height: number;
  readonly width: number;
}

/** Everything about containers. Names are ids, names or unambiguous id prefixes; errors carry the daemon's text. */
export function containerCalls(transport: Transport) {
  const at = (name: string, rest = '') => `/containers/${encodeURIComponent(name)}${rest}`;
  const post = (name: string, action: string, query = {}, signal?: AbortSignal) =>
    transport.call<void>('POST', at(name, action), { query, signal });
  const stopQuery = ({ signal, timeoutSeconds, deaf }: StopQuery) => ({ signal, t: timeoutSeconds, deaf });

  return {
    list(query: ContainerListQuery = {}): Promise<ContainerSummary[]> {
      const { filters, signal, ...rest } = query;
      return transport.call('GET', '/containers/json', {
        query: { ...rest, filters: filtersText(filters) },
        signal,
      });
    },
    /** Its runs, oldest first, with why each ended. A Gantry daemon only. */
    runs: (name: string, signal?: AbortSignal): Promise<readonly ContainerRun[]> =>
      transport.call('GET', `/gantry${at(name, '/runs')}`, { signal }),
    create(
      request: ContainerCreateRequest,
      options: { readonly name?: string; readonly platform?: string; readonly signal?: AbortSignal } = {},
    ): Promise<ContainerCreateResponse> {
      const { signal, ...query } = options;
      return transport.call('POST', '/containers/create', { json: request, query, signal });
    },
    /** Starting a running container, or stopping a stopped one, is no error. */
    async start(name: string, options: { detachKeys?: string; signal?: AbortSignal } = {}): Promise<void> {
      const { signal, ...query } = options;
      await acceptNotModified(post(name, '/start', query, signal));
    },
    async stop(name: string, options: StopQuery = {}, signal?: AbortSignal): Promise<void> {
      await acceptNotModified(post(name, '/stop', stopQuery(options), signal));
    },
    restart: (name: string, options: StopQuery = {}, signal?: AbortSignal): Promise<void> =>
      post(name, '/restart', stopQuery(options), signal),
    kill: (name: string, killSignal?: string, signal?: AbortSignal): Promise<void> =>
      post(name, '/kill', { signal: killSignal }, signal),
    pause: (name: string, signal?: AbortSignal): Promise<void> => post(name, '/pause', {}, signal),
    unpause: (name: string, signal?: AbortSignal): Promise<void> => post(name, '/unpause', {}, signal),
    rename: (name: string, to: string, signal?: AbortSignal): Promise<void> =>
      post(name, '/rename', { name: to }, signal),
    update(
      name: string,
      change: Partial<HostConfig>,
      signal?: AbortSignal,
    ): Promise<{ readonly Warnings: readonly string[] | null }> {
      return transport.call('POST', at(name, '/update'), { json: change, signal });
    },
    /** Gives a container other ports, variables, mounts or labels. A Gantry daemon only. */
    reconfigure(
      name: string,
      change: ReconfigureRequest,
      options: StopQuery & { readonly dryRun?: boolean } = {},
      signal?: AbortSignal,
    ): Promise<ReconfigureResponse> {
      const query = { ...stopQuery(options), 'dry-run': options.dryRun };
      return transport.call('POST', `/gantry${at(name, '/reconfigure')}`, { json: change, query, signal });
    },
    resize: (name: string, size: TerminalSize, signal?: AbortSignal): Promise<void> =>
      post(name, '/resize', { h: size.height, w: size.width }, signal),
    remove(
      name: string,
      options: { force?: boolean; volumes?: boolean; link?: boolean } = {},
      signal?: AbortSignal,
    ): Promise<void> {
      const query = { force: options.force, v: options.volumes, link: options.link };
      return transport.call('DELETE', at(name), { query, signal });
    },
    prune(
      filters: FilterValues = {},
      signal?: AbortSignal,
    ): Promise<{ readonly ContainersDeleted: readonly string[] | null; readonly SpaceReclaimed: number }> {
      return transport.call('POST', '/containers/prune', {
        query: { filters: filtersText(filters) },
        signal,
      });
    },
    inspect(name: string, options: { size?: boolean; signal?: AbortSignal } = {}): Promise<ContainerInspect> {
      return transport.call('GET', at(name, '/json'), {
        query: { size: options.size },
        signal: options.signal,
      });
    },
    top(name: string, psArgs?: string, signal?: AbortSignal): Promise<TopAnswer> {
      return transport.call('GET', at(name, '/top'), { query: { ps_args: psArgs }, signal });
    },
    changes(name: string, signal?: AbortSignal): Promise<FilesystemChange[] | null> {
      return transport.call('GET', at(name, '/changes'), { signal });
    },
    /**
     * Resolves when the daemon has begun to wait, with the promise of the exit: call it before `start` (or the kill)
     * whose end is waited for.
     */
    async wait(
      name: string,
      condition: 'not-running' | 'next-exit' | 'removed' = 'not-running',
      signal?: AbortSignal,
    ): Promise<{ readonly exit: Promise<WaitAnswer> }> {
      const response = await transport.open('POST', at(name, '/wait'), { query: { condition }, signal });
      const exit = firstOf(jsonObjects<WaitAnswer>(response), 'The daemon ended the wait without an answer');
      // Whoever drops the promise (a start that failed) is not to crash on it.
      exit.catch(() => undefined);
      return { exit };
    },
    async attach(name: string, options: AttachQuery): Promise<StdioConnection> {
      const { tty, signal, ...rest } = options;
      const opened = await transport.hijack('POST', at(name, '/attach'), {
        query: { ...rest, stream: true },
        signal,
      });
      return connectionOf(opened.duplex, tty);
    },
    async logs(name: string, options: LogsQuery): Promise<AsyncIterable<StdioChunk>> {
      const { tty, signal, ...rest } = options;
      const query = { stdout: true, stderr: true, ...rest };
      const response = await transport.open('GET', at(name, '/logs'), { query, signal });
      return tty ? rawOutput(response) : demultiplex(response);
    },
    async *stats(
      name: string,
      options: { readonly stream: boolean; readonly oneShot?: boolean; readonly signal?: AbortSignal },
    ): AsyncGenerator<Readonly<Record<string, unknown>>, void, undefined> {
      const query = { stream: options.stream, 'one-shot': options.oneShot };
      yield* jsonObjects(await transport.open('GET', at(name, '/stats'), { query, signal: options.signal }));
    },
    async statPath(name: string, path: string, signal?: AbortSignal): Promise<PathStat> {
      const response = await transport.open('HEAD', at(name, '/archive'), { query: { path }, signal });
      response.resume();
      return pathStatOf(response.headers['x-docker-container-path-stat']);
    },
    /** A tar of a file or directory. The caller reads or destroys it. */
    async getArchive(
      name: string,
      path: string,
      signal?: AbortSignal,
    ): Promise<{ readonly stat: PathStat; readonly tar: Readable }> {
      const response = await transport.open('GET', at(name, '/archive'), { query: { path }, signal });
      return { stat: pathStatOf(response.headers['x-docker-container-path-stat']), tar: response };
    },
    putArchive(
      name: string,
      path: string,
      tar: Readable,
      options: { noOverwriteDirNonDir?: boolean; copyUIDGID?: boolean; signal?: AbortSignal } = {},
    ): Promise<void> {
      const { signal, ...query } = options;
      return transport.call('PUT', at(name, '/archive'), {
        query: { path, ...query },
        body: tar,
        contentType: 'application/x-tar',
        signal,
      });
    },
    export: (name: string, signal?: AbortSignal): Promise<Readable> =>
      transport.open('GET', at(name, '/export'), { signal }),
    commit(name: string, options: CommitQuery = {}, signal?: AbortSignal): Promise<{ readonly Id: string }> {
      const { repository, ...rest } = options;
      const query = { container: name, repo: repository, ...rest };
      return transport.call('POST', '/commit', { query, json: {}, signal });
    },
  };
}

/** Commands run inside running containers. */
export function execCalls(transport: Transport) {
  const at = (id: string, rest: string) => `/exec/${encodeURIComponent(id)}${rest}`;
  return {
    create(
      container: string,
      request: ExecCreateRequest,
      signal?: AbortSignal,
    ): Promise<{ readonly Id: string }> {
      const path = `/containers/${encodeURIComponent(container)}/exec`;
      return transport.call('POST', path, { json: request, signal });
    },
    async start(
      id: string,
      options: { tty: boolean; consoleSize?: readonly [number, number]; signal?: AbortSignal },
    ): Promise<StdioConnection> {
      const json = { Detach: false, Tty: options.tty, ConsoleSize: options.consoleSize };
      const opened = await transport.hijack('POST', at(id, '/start'), { json, signal: options.signal });
      return connectionOf(opened.duplex, options.tty);
    },
    startDetached: (id: string, options: { tty: boolean }, signal?: AbortSignal): Promise<void> =>
      transport.call('POST', at(id, '/start'), { json: { Detach: true, Tty: options.tty }, signal }),
    inspect: (id: string, signal?: AbortSignal): Promise<ExecInspect> =>
      transport.call('GET', at(id, '/json'), { signal }),
    resize: (id: string, size: TerminalSize, signal?: AbortSignal): Promise<void> =>
      transport.call('POST', at(id, '/resize'), { query: { h: size.height, w: size.width }, signal }),
  };
}

function connectionOf(duplex: Duplex, tty: boolean): StdioConnection {
  return {
    input: duplex,
    output: tty ? rawOutput(duplex) : demultiplex(duplex),
    [Symbol.dispose]() {
      duplex.destroy();
    },
  };
}

async function acceptNotModified(call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof EngineError && error.code === 'notModified')) throw error;
  }
}

async function firstOf<T>(items: AsyncIterable<T>, missing: string): Promise<T> {
  for await (const item of items) return item;
  throw new EngineError('internal', missing);
}

function pathStatOf(header: string | string[] | undefined): PathStat {
  if (typeof header !== 'string') {
    throw new EngineError('internal', 'The daemon sent no X-Docker-Container-Path-Stat header');
  }
  return JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as PathStat;
}
