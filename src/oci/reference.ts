import type { Digest } from './digest.ts';

/** A normalized reference: `docker.io/library/busybox:latest`. [distribution/reference] */
export interface Reference {
  /** Registry host with optional port. */
  readonly domain: string;
  /** Repository inside the registry, `library/busybox`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}
