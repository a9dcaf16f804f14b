import type { Readable } from 'node:stream';
import type { Digest, Reference } from '../../../oci/index.ts';

/**
 * The part of a registry's client that a cache needs of one repository. Errors tell by their code what to do: with
 * `unavailable` (no connection, 5xx, 429) what is stored will have to do; `notFound` is an answer.
 */
export interface Upstream {
  resolve(reference: Reference, signal?: AbortSignal): Promise<Digest>;
  /** The bytes are checked against the digest. */
  manifest(
    reference: Reference,
    signal?: AbortSignal,
  ): Promise<{ readonly bytes: Buffer; readonly digest: Digest }>;
  /** Its bytes from `start` on, which is at or before the one asked for. */
  blob(
    digest: Digest,
    options?: { readonly start?: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly stream: Readable; readonly start: number }>;
}

/** The upstream of a repository here, if it has one. */
export type UpstreamOf = (repository: string) => UpstreamRepository | undefined;

export interface UpstreamRepository {
  readonly client: Upstream;
  /** The repository as the upstream knows it. */
  readonly name: Reference;
  readonly ttlMs: number;
}
