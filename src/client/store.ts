import type {
  ImageDiff,
  ImageLayersReport,
  PruneKind,
  PruneOutcome,
  PrunePlan,
  StoreCheckMessage,
} from '../api/index.ts';
import { type FilterValues, filtersText } from './filter-values.ts';
import { jsonObjects } from './json-stream.ts';
import type { Transport } from './transport.ts';

export interface PruneQuery {
  /** Default: all but volumes. */
  readonly kinds?: readonly PruneKind[];
  /** All unused images and shared records of the build cache. */
  readonly all?: boolean;
  readonly namedVolumes?: boolean;
  readonly filters?: FilterValues;
}

/** Gantry's own calls, which no other engine answers. */
export function storeCalls(transport: Transport) {
  return {
    /** What each layer of an image changes; with `changes` path by path. */
    imageLayers: (
      image: string,
      options: { changes?: boolean } = {},
      signal?: AbortSignal,
    ): Promise<ImageLayersReport> =>
      transport.call('GET', '/gantry/images/layers', { query: { image, ...options }, signal }),
    /** What differs between two images or containers. */
    imageDiff: (from: string, to: string, signal?: AbortSignal): Promise<ImageDiff> =>
      transport.call('GET', '/gantry/images/diff', { query: { from, to }, signal }),
    /** Verifies every blob, layer tree and row, and with `repair` mends what can be. Aborting ends it. */
    async *check(
      options: { repair?: boolean } = {},
      signal?: AbortSignal,
    ): AsyncGenerator<StoreCheckMessage, void, undefined> {
      const response = await transport.open('POST', '/gantry/store/check', { query: options, signal });
      yield* jsonObjects<StoreCheckMessage>(response);
    },
    /** Lists what a prune would remove, and keeps the list for `applyPrune`. */
    planPrune(options: PruneQuery = {}, signal?: AbortSignal): Promise<PrunePlan> {
      const { kinds, namedVolumes, filters, all } = options;
      const query = { kind: kinds, all, 'named-volumes': namedVolumes, filters: filtersText(filters) };
      return transport.call('POST', '/gantry/prune/plan', { query, signal });
    },
    /** Removes what a plan lists and nothing else; by its id, or as it was given. */
    applyPrune: (plan: string | PrunePlan, signal?: AbortSignal): Promise<PruneOutcome> =>
      transport.call('POST', '/gantry/prune/apply', {
        ...(typeof plan === 'string' ? { query: { plan } } : { json: plan }),
        signal,
      }),
  };
}
