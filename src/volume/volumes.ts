import type { Filters, Volume, VolumeCreateRequest } from '../api/index.ts';

export type CreateVolume = VolumeCreateRequest & {
  /** Goes with its container. Default: whether it has no name. */
  readonly anonymous?: boolean;
  /** A container that uses the volume from its first moment on, whatever happens to the engine. */
  readonly user?: string;
};

export interface RemoveVolume {
  /** An unknown volume is no error. */
  readonly force: boolean;
  /** A container whose own removal this is part of: its reference does not stand in the way and goes too. */
  readonly user?: string;
}

/** Named and anonymous volumes of the `local` driver. */
export interface Volumes {
  /** Makes a volume; the same name again returns the one there. A bad name is `invalidArgument` with Docker's text. */
  create(request: CreateVolume): Promise<Volume>;
  /** `notFound` "get X: no such volume". */
  inspect(name: string): Volume;
  list(filters: Filters): { readonly Volumes: readonly Volume[]; readonly Warnings: readonly string[] };
  /** `conflict` "remove X: volume is in use - [id]" while a container refers to it; force ignores an unknown one. */
  remove(name: string, options: RemoveVolume): Promise<void>;
  prune(
    filters: Filters,
  ): Promise<{ readonly VolumesDeleted: readonly string[]; readonly SpaceReclaimed: number }>;
  /** Bytes and containers of each volume, for `system df -v`; the bytes may have been measured a short time ago. */
  usage(signal?: AbortSignal): Promise<Volume[]>;
  /** Records that a container uses the volume (same transaction as the container's row is the caller's business). */
  attach(name: string, containerId: string): void;
  /** Forgets which volumes the container uses. */
  detach(containerId: string): void;
  /** The container uses these volumes and no others. Those it does not use any more stay, anonymous ones too. */
  setUses(containerId: string, names: readonly string[]): void;
  /** Removes the anonymous volumes that only this container uses: what `rm -v` and `--rm` take along. */
  removeAnonymous(containerId: string): Promise<void>;
  /** Before `recover`: what a container has mounted since an earlier engine. */
  adopt(containerId: string, names: readonly string[]): void;
  /**
   * Once at the start of an engine: finishes or undoes what an earlier one left half done, and forgets containers
   * that are not given, with the anonymous volumes made for them. The others use the volumes given for their id.
   */
  recover(containers: ReadonlyMap<string, readonly string[]>): Promise<void>;
  /**
   * Copies a directory of the image into a volume that is empty, with owner, mode and xattrs; what is no directory, and
   * a part of the volume that is not there, are passed over. It is on the disk when this is done, unless the volume goes
   * with its container anyway (`temporary`).
   */
  fill(name: string, source: string, options: FillVolume): Promise<void>;
  /** The host path to bind, mounted if the driver's options ask for it. */
  mount(name: string, containerId: string, at: MountedAt): Promise<string>;
  /** Nothing happens if the container has it not mounted. */
  unmount(name: string, containerId: string): Promise<void>;
  /**
   * A host path to bind a file or directory of a mounted volume from, the same one until it is disposed, whatever its
   * name comes to mean. `notFound` if it is not there, `invalidArgument` if it is not within the volume.
   */
  openPart(name: string, subpath: string): Promise<VolumePart>;
}

export interface FillVolume {
  readonly subpath?: string;
  readonly temporary: boolean;
}

/** Where a container has a volume, for the journal. */
export interface MountedAt {
  readonly destination: string;
  readonly writable: boolean;
  readonly propagation: string;
}

export interface VolumePart extends Disposable {
  readonly path: string;
}
