import type { Quota } from '../storage/index.ts';

/** How much a client may store. */
export interface Limits {
  readonly blobBytes: number;
  readonly manifestBytes: number;
  quotaOf(repository: string): Quota;
}
