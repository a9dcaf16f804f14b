import type { Readable } from 'node:stream';
import type {
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerInspect,
  ContainerRun,
  ContainerSummary,
  EndpointSettings,
  ExecCreateRequest,
  ExecInspect,
  FilesystemChange,
  Filters,
  HostConfig,
  PathStat,
  ReconfigureRequest,
  ReconfigureResponse,
} from '../api/index.ts';
import type { ImageId, Platform } from '../oci/index.ts';
import type { Attachment, LogQuery } from '../runtime/index.ts';

export interface CreateOptions {
  readonly name?: string;
  readonly platform?: Platform;
  /** Read-only binds leave what is mounted below them as it is. Default false. */
  readonly writableBelow?: boolean;
}

export interface ListOptions {
  readonly all: boolean;
  readonly limit?: number;
  /** Adds the sizes; `recent` ones may have been measured a short time ago. */
  readonly size: boolean | 'recent';
  readonly filters: Filters;
}

export interface StopOptions {
  /** Name or number; default the container's own. */
  readonly signal?: string;
  /** Seconds; -1 waits for ever; default the container's own, else 10. */
  readonly timeoutSeconds?: number;
  /** What to do when the signal can have no effect; default the daemon's. */
  readonly deaf?: 'wait' | 'kill';
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitResult {
  readonly StatusCode: number;
  readonly Error: { readonly Message: string } | null;
}

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Replays the log first. */
  readonly logs: boolean;
  /** Goes on with live output; with `logs` alone the log is all. */
  readonly stream: boolean;
}

export interface ReconfigureOptions {
  /** Only tells what would change. */
  readonly dryRun: boolean;
  /** How a running container is stopped. */
  readonly stop: StopOptions;
}

/** A container's or exec's stdio for one client. */
export interface Session extends AsyncDisposable {
  /** Raw bytes instead of frames. */
  readonly tty: boolean;
  readonly output: Attachment['output'];
  /** `undefined` when stdin was not asked for or is not open. */
  readonly input?: Attachment['input'];
  /** To be told when the client leaves by its detach keys. */
  readonly onDetach?: () => void;
}

export interface TopResult {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

/** Every operation on containers. A container is named by id, name or unambiguous id prefix; errors are Docker's. */
export interface Containers {
  create(request: ContainerCreateRequest, options: CreateOptions): Promise<ContainerCreateResponse>;
  /** `notModified` when it runs already. */
  start(name: string, signal?: AbortSignal): Promise<void>;
  /** `notModified` when it does not run. */
  stop(name: string, options: StopOptions): Promise<void>;
  restart(name: string, options: StopOptions): Promise<void>;
  /** A signal's name or number; default SIGKILL. */
  kill(name: string, signal: string | undefined): Promise<void>;
  pause(name: string): Promise<void>;
  unpause(name: string): Promise<void>;
  rename(name: string, to: string): Promise<void>;
  update(name: string, change: Partial<HostConfig>): Promise<{ readonly Warnings: readonly string[] }>;
  /**
   * Gives a container other ports, variables, mounts or labels. One that runs is stopped and started again where that
   * is needed; if it does not start it runs again as it was, and the rejection says so.
   */
  reconfigure(
    name: string,
    request: ReconfigureRequest,
    options: ReconfigureOptions,
  ): Promise<ReconfigureResponse>;
  /** Puts a container onto a network, or takes it off: at once if it runs, else from its next start on. */
  connectNetwork(name: string, network: string, settings: Partial<EndpointSettings>): Promise<void>;
  /** One that does not run, or any with `force`, leaves also a network that is gone. */
  disconnectNetwork(name: string, network: string, options: { readonly force: boolean }): Promise<void>;
  remove(name: string, options: { readonly force: boolean; readonly volumes: boolean }): Promise<void>;
  /** Takes a `--link` off a container; from its next start on it is gone. */
  unlink(name: string, alias: string): Promise<void>;
  prune(
    filters: Filters,
  ): Promise<{ readonly ContainersDeleted: readonly string[]; readonly SpaceReclaimed: number }>;
  /** Resolves once waiting has begun (so that headers can be sent), with the promise of the result. */
  wait(
    name: string,
    condition: WaitCondition,
    signal: AbortSignal,
  ): Promise<{ readonly result: Promise<WaitResult> }>;

  /** Its runs, oldest first, with why each ended; the one under way is the last. */
  runs(name: string): Promise<readonly ContainerRun[]>;

  list(options: ListOptions): Promise<ContainerSummary[]>;
  inspect(name: string, options: { readonly size: boolean }): Promise<ContainerInspect>;
  top(name: string, psArgs: string): Promise<TopResult>;
  changes(name: string): Promise<FilesystemChange[]>;
  /** The host's path of its merged files, without what is mounted in them. */
  tree(name: string): Promise<{ readonly id: string; readonly root: string }>;
  /** Docker's stats object, once or as a stream of samples a second apart. */
  stats(
    name: string,
    options: { readonly stream: boolean; readonly oneShot: boolean },
    signal: AbortSignal,
  ): AsyncIterable<object>;

  attach(name: string, options: AttachOptions): Promise<Session>;
  /** Characters. `conflict` when it does not run. */
  resize(name: string, size: { readonly height: number; readonly width: number }): Promise<void>;
  /** `tty` tells whether the bytes are raw. With neither stream: `invalidArgument`. */
  logs(
    name: string,
    query: Omit<LogQuery, 'follow'> & {
      readonly follow: boolean;
      readonly timestamps: boolean;
      readonly details: boolean;
    },
    signal: AbortSignal,
  ): Promise<{ readonly tty: boolean; readonly body: Readable }>;

  execCreate(name: string, request: ExecCreateRequest): Promise<{ readonly Id: string }>;
  /**
   * The session, or `undefined` when detached. `session.output` ends when the command has ended. `onRun` is called once
   * all is checked, just before the command runs.
   */
  execStart(
    execId: string,
    options: {
      readonly detach: boolean;
      readonly tty?: boolean;
      readonly consoleSize?: readonly [number, number];
      readonly onRun?: () => void;
    },
  ): Promise<Session | undefined>;
  execInspect(execId: string): ExecInspect;
  execResize(execId: string, size: { readonly height: number; readonly width: number }): Promise<void>;

  statPath(name: string, path: string): Promise<PathStat>;
  /** A tar of one file or directory, named by its base name. */
  getArchive(name: string, path: string): Promise<{ readonly stat: PathStat; readonly tar: Readable }>;
  /** Unpacks a tar (maybe compressed) into an existing directory. */
  putArchive(
    name: string,
    path: string,
    tar: Readable,
    options: { readonly noOverwriteDirNonDir: boolean; readonly copyUidGid: boolean },
  ): Promise<void>;
  /** The merged file tree as a tar. */
  export(name: string): Promise<Readable>;
  commit(
    name: string,
    options: {
      readonly reference?: string;
      readonly comment?: string;
      readonly author?: string;
      readonly pause: boolean;
      readonly changes: readonly string[];
      readonly config?: ContainerCreateRequest;
    },
  ): Promise<{ readonly Id: ImageId }>;
}
