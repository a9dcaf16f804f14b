import type { Filters, Volume, VolumeCreateRequest } from '../api/index.ts';

/** Named and anonymous volumes of the `local` driver. */
export interface Volumes {
  /** Makes a volume; the same name again returns the one there. A bad name is `invalidArgument` with Docker's text. */
  create(request: VolumeCreateRequest & { readonly anonymous?: boolean }): Promise<Volume>;
  /** `notFound` "get X: no such volume". */
  inspect(name: string): Volume;
  list(filters: Filters): { readonly Volumes: readonly Volume[]; readonly Warnings: readonly string[] };
  /** `conflict` "remove X: volume is in use - [id]" while a container refers to it; force ignores an unknown one. */
  remove(name: string, options: { readonly force: boolean }): Promise<void>;
  prune(
    filters: Filters,
  ): Promise<{ readonly VolumesDeleted: readonly string[]; readonly SpaceReclaimed: number }>;
  /** Bytes and containers of each volume, for `system df -v`. */
  usage(signal?: AbortSignal): Promise<Volume[]>;
  /** Records that a container uses the volume (same transaction as the container's row is the caller's business). */
  attach(name: string, containerId: string): void;
  /** Forgets the container's volumes; returns the anonymous ones among them, for `rm -v` and `--rm`. */
  detach(containerId: string): string[];
  /**
   * The host path to bind, mounted if the driver's options ask for it. With `seedFrom` (a directory in the image's tree)
   * an empty volume is filled from it first, with owner, mode and xattrs, exactly once.
   */
  mount(
    name: string,
    containerId: string,
    options: { readonly seedFrom?: string; readonly subpath?: string },
  ): Promise<string>;
  unmount(name: string, containerId: string): Promise<void>;
}
