import type { Readable } from 'node:stream';
import type { SearchResult } from '../../api/index.ts';
import type { Digest, Reference } from '../../oci/index.ts';

/** Who asks a registry; nothing is anonymous. */
export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  /** A refresh token from an earlier login, instead of a password. */
  readonly identityToken?: string;
  /** A bearer token, sent as it is. */
  readonly registryToken?: string;
}

export interface Access {
  readonly credentials?: Credentials;
  /** Sent with every request to the registry itself (Docker's `X-Meta-*`). */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RemoteManifest {
  /** Exactly as the registry gave them; they have this digest. */
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly mediaType: string;
}

/** A blob's bytes from `start` on, which is at or before the one asked for: not every registry knows ranges. */
export interface RemoteBlob {
  readonly stream: Readable;
  readonly start: number;
}

export interface BlobSource {
  readonly digest: Digest;
  readonly size: number;
  /** All its bytes; may be called again when they have to be sent once more. */
  open(): Promise<Readable>;
}

export interface PushBlobOptions {
  /** Paths of repositories of the same registry that have the blob, best first. */
  readonly mountFrom?: readonly string[];
  /** Hears how much the registry has taken. */
  readonly onProgress?: (sentBytes: number) => void;
  readonly signal?: AbortSignal;
}

export type PushedBlob =
  | { readonly kind: 'exists' }
  | { readonly kind: 'mounted'; readonly from: string }
  | { readonly kind: 'uploaded' };

/**
 * One repository of one registry, through the mirrors and endpoints the configuration names.
 *
 * Calls reject with an `EngineError` in the registry's words (`manifest unknown: manifest unknown`); `failureOf` tells
 * more of it. Tokens are fetched when a registry asks for them and again when one has expired. Single requests are
 * tried once: `isTransient` says whether trying again may help.
 */
export interface RemoteRepository {
  /** By digest if the reference has one, else by tag. Rejects with `invalidArgument` over 4 MiB or for a wrong digest. */
  manifest(reference: Reference, signal?: AbortSignal): Promise<RemoteManifest>;
  /** The digest a tag points at now, without its manifest where the registry can say so. */
  resolve(reference: Reference, signal?: AbortSignal): Promise<Digest>;
  /** The caller reads or destroys the stream. */
  blob(
    digest: Digest,
    options?: { readonly start?: number; readonly signal?: AbortSignal },
  ): Promise<RemoteBlob>;
  /** All tags, page by page. */
  tags(signal?: AbortSignal): AsyncIterable<string>;
  /** Makes the registry have the blob: it is there, is mounted from another repository, or is uploaded. Retries. */
  pushBlob(source: BlobSource, options?: PushBlobOptions): Promise<PushedBlob>;
  /** Names a manifest by the reference's tag, or stores it by its digest. Its blobs must be there. */
  pushManifest(
    manifest: RemoteManifest,
    reference: Reference,
    options?: { readonly signal?: AbortSignal },
  ): Promise<void>;
}

/** Speaks OCI distribution 1.1 and Docker's registry API to any registry. Disposing it closes its connections. */
export interface RegistryClient extends AsyncDisposable {
  repository(name: Reference, access: Access, action: 'pull' | 'push'): RemoteRepository;
  /**
   * Checks credentials, and trades them for an identity token where the registry gives one. `unauthorized` when it
   * does not take them.
   */
  login(
    server: string,
    credentials: Credentials,
    signal?: AbortSignal,
  ): Promise<{ readonly identityToken?: string }>;
  /** Asks an index (Docker Hub, or the host before the first slash of `term`) through the v1 search API. */
  search(
    query: { readonly term: string; readonly limit: number },
    access: Access,
    signal?: AbortSignal,
  ): Promise<readonly SearchResult[]>;
}
