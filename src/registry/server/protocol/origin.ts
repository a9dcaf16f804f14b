import type { ContentDigest } from '../content-digest.ts';
import type { Reference } from './route.ts';

/** Where a registry gets content from that its storage lacks. */
export interface Origin {
  /** Whether the repository's content comes from elsewhere. Such a repository cannot be pushed to. */
  covers(repository: string): boolean;
  /**
   * Makes the storage hold what `reference` is upstream now. Without upstream it is 'stale' if the storage has
   * something, and rejects if not.
   */
  refresh(repository: string, reference: Reference, signal: AbortSignal): Promise<'fresh' | 'stale'>;
  /** A blob that the storage lacks, while it arrives there; undefined if it has arrived meanwhile. */
  fetch(repository: string, digest: ContentDigest, signal: AbortSignal): Promise<IncomingBlob | undefined>;
}

/** A blob on its way; any number of readers share it. Dispose ends the interest of one of them. */
export interface IncomingBlob extends AsyncDisposable {
  /** Undefined where nothing told it in advance. */
  readonly size: number | undefined;
  /** Bytes from `start` to `end` (included) as they arrive; throws when the rest cannot be had, or was not the blob. */
  read(
    range: { readonly start: number; readonly end?: number },
    signal: AbortSignal,
  ): AsyncIterableIterator<Buffer>;
  /** Waits until all of it is stored. */
  stored(signal: AbortSignal): Promise<void>;
}

/** A registry of its own content. */
export const noOrigin: Origin = {
  covers: () => false,
  refresh: async () => 'fresh',
  fetch: async () => undefined,
};
