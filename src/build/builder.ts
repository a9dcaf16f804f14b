import type { Readable } from 'node:stream';
import type { Filters, ProgressMessage, Ulimit } from '../api/index.ts';
import type { ImageId, Platform } from '../oci/index.ts';
import type { Credentials } from '../registry/index.ts';

/** `POST /build`, parsed. */
export interface BuildRequest {
  /** The context: a tar, plain or compressed. Read to its end or destroyed. */
  readonly context: Readable;
  /** Path in the context; default `Dockerfile`. */
  readonly dockerfile: string;
  readonly tags: readonly string[];
  /** null is "take the value from the Dockerfile only". */
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: string;
  readonly noCache: boolean;
  /** Images whose steps are taken where their histories tell the same ones. */
  readonly cacheFrom: readonly string[];
  /** Ask registries for newer versions of the images it starts from. */
  readonly pull: boolean;
  /** Who one is, by registry. */
  readonly credentials: ReadonlyMap<string, Credentials>;
  readonly quiet: boolean;
  readonly networkMode: string;
  readonly extraHosts: readonly string[];
  readonly shmSize: number;
  readonly ulimits: readonly Ulimit[];
  readonly memory: number;
  /** Memory and swap together; -1 for no limit. */
  readonly memorySwap: number;
  readonly cpuQuota: number;
  readonly cpuPeriod: number;
  readonly cpuShares: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly cgroupParent: string;
  readonly platform?: Platform;
}

/** A command to run for a RUN step, in the step's own snapshot. */
export interface StepRun {
  /** Prepared by the builder, which also commits or removes it; the runner mounts it (and may unmount it). */
  readonly snapshotKey: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  /** Docker's user syntax, '' is root. */
  readonly user: string;
  readonly request: Pick<
    BuildRequest,
    | 'networkMode'
    | 'extraHosts'
    | 'shmSize'
    | 'ulimits'
    | 'memory'
    | 'memorySwap'
    | 'cpuQuota'
    | 'cpuPeriod'
    | 'cpuShares'
    | 'cpusetCpus'
    | 'cpusetMems'
    | 'cgroupParent'
  >;
  /** The next output waits for it; rejects when the step is aborted. */
  readonly onOutput: (stream: 'stdout' | 'stderr', data: Buffer) => Promise<void>;
}

/** Runs RUN steps; implemented by the container side, so that build knows no runtime. */
export interface StepRunner {
  /** The exit code. Aborting kills the command. Nothing of it remains but the snapshot's changes. */
  run(step: StepRun, signal: AbortSignal): Promise<number>;
}

/** Who hears how a build goes. */
export interface BuildListener {
  readonly tell: (message: ProgressMessage) => void;
  /** Resolves when it takes more: what may say much, as a command does, waits for it. */
  readonly ready: () => Promise<void>;
}

/** A record of the build cache. */
export interface CacheUsage {
  /** 64 hex digits. */
  readonly id: string;
  readonly parents: readonly string[];
  /** The step, as history tells it. */
  readonly description: string;
  readonly image: ImageId;
  /** A build that runs uses it. */
  readonly inUse: boolean;
  /** An image or container wants it too: its bytes count there, and forgetting it frees none. */
  readonly shared: boolean;
  /** Bytes of the layer the step made; 0 for none. */
  readonly size: number;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number;
  readonly useCount: number;
}

export interface PruneCacheOptions {
  /** Also records whose image something else wants. */
  readonly all: boolean;
  /** Docker's: id, parent, type, description, inuse, shared, private, until and unused-for (by last use). */
  readonly filters: Filters;
  /** Stops once the cache keeps no more than this; 0 for no limit. */
  readonly keepBytes: number;
}

/** Disposing it cancels the builds under way and waits until nothing of them is left. */
export interface Builder extends AsyncDisposable {
  /**
   * Builds an image; progress in Docker's classic words. Rejects with what `docker build` prints:
   * a failing RUN is "The command '/bin/sh -c x' returned a non-zero code: 3", and `buildExitCode(error)` is 3, for
   * `errorDetail.code`. Errors of the context, Dockerfile and plan come before the first progress message.
   * With `quiet` the only message is `{ stream: ID + newline }`; a failed quiet build tells everything it did.
   */
  build(request: BuildRequest, listener: BuildListener, signal: AbortSignal): Promise<ImageId>;
  /** Forgets records of the cache and removes what only they kept; `SpaceReclaimed` is what that freed. */
  prune(
    options: PruneCacheOptions,
  ): Promise<{ readonly CachesDeleted: readonly string[]; readonly SpaceReclaimed: number }>;
  /** The records that `prune` would forget. */
  prunable(options: PruneCacheOptions): readonly CacheUsage[];
  /** Forgets these records, and removes what only they kept. */
  forget(
    ids: readonly string[],
  ): Promise<{ readonly CachesDeleted: readonly string[]; readonly SpaceReclaimed: number }>;
  /** The records that keep something, each with the bytes of its layer; answered from rows. */
  usage(): readonly CacheUsage[];
}
