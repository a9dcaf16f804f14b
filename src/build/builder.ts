import type { Readable } from 'node:stream';
import type { Filters, ProgressMessage, Ulimit } from '../api/index.ts';
import type { ImageId, Platform } from '../oci/index.ts';
import type { Usage } from '../snapshot/index.ts';

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
  readonly quiet: boolean;
  readonly networkMode: string;
  readonly extraHosts: readonly string[];
  readonly shmSize: number;
  readonly ulimits: readonly Ulimit[];
  readonly memory: number;
  readonly cpuQuota: number;
  readonly cpuPeriod: number;
  readonly cpuShares: number;
  readonly cpusetCpus: string;
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
    | 'cpuQuota'
    | 'cpuPeriod'
    | 'cpuShares'
    | 'cpusetCpus'
  >;
  readonly onOutput: (stream: 'stdout' | 'stderr', data: Buffer) => void;
}

/** Runs RUN steps; implemented by the container side, so that build knows no runtime. */
export interface StepRunner {
  /** The exit code. Aborting kills the command. Nothing of it remains but the snapshot's changes. */
  run(step: StepRun, signal: AbortSignal): Promise<number>;
}

/** Disposing it cancels the builds under way and waits until nothing of them is left. */
export interface Builder extends AsyncDisposable {
  /**
   * Builds an image; progress in Docker's classic words. Rejects with what `docker build` prints:
   * a failing RUN is "The command '/bin/sh -c x' returned a non-zero code: 3", and `buildExitCode(error)` is 3, for
   * `errorDetail.code`. Errors of the context, Dockerfile and plan come before the first progress message.
   * With `quiet` the only message is `{ stream: ID + newline }`; a failed quiet build tells everything it did.
   */
  build(
    request: BuildRequest,
    onProgress: (message: ProgressMessage) => void,
    signal: AbortSignal,
  ): Promise<ImageId>;
  /** Forgets cache records: those whose image is gone, with `all` every one. Filters: id, until, unused-for. */
  prune(options: {
    readonly all: boolean;
    readonly filters: Filters;
  }): Promise<{ readonly CachesDeleted: readonly string[]; readonly SpaceReclaimed: number }>;
  /** What the cache holds besides images: nothing, as every step's result is an image. */
  usage(): Promise<Usage>;
}
