import type { DiskUsage, EventMessage } from '../api/index.ts';
import { type FilterValues, filtersText } from './filter-values.ts';
import { jsonObjects } from './json-stream.ts';
import type { Transport } from './transport.ts';

/** `GET /info` and `GET /version`: wide objects, read by field. */
export type WideObject = Readonly<Record<string, unknown>>;

export interface EventsQuery {
  /** Unix seconds with fraction. */
  readonly since?: string;
  /** A time that has passed ends the stream. */
  readonly until?: string;
  readonly filters?: FilterValues;
  readonly signal?: AbortSignal;
}

export function systemCalls(transport: Transport) {
  return {
    ping: transport.ping,
    info: (signal?: AbortSignal): Promise<WideObject> => transport.call('GET', '/info', { signal }),
    version: (signal?: AbortSignal): Promise<WideObject> => transport.call('GET', '/version', { signal }),
    /** Whether a registry takes these credentials; the token, if there is one, is to be kept instead of the password. */
    login: (
      auth: { username?: string; password?: string; serveraddress: string },
      signal?: AbortSignal,
    ): Promise<{ readonly Status: string; readonly IdentityToken: string }> =>
      transport.call('POST', '/auth', { json: auth, signal }),
    diskUsage: (types: readonly string[] = [], signal?: AbortSignal): Promise<DiskUsage> =>
      transport.call('GET', '/system/df', { query: { type: types }, signal }),
    async *events(query: EventsQuery = {}): AsyncGenerator<EventMessage, void, undefined> {
      const { filters, signal, ...rest } = query;
      const call = { query: { ...rest, filters: filtersText(filters) }, signal };
      yield* jsonObjects<EventMessage>(await transport.open('GET', '/events', call));
    },
    pruneBuildCache(
      options: { all?: boolean; keepStorage?: number; filters?: FilterValues } = {},
      signal?: AbortSignal,
    ): Promise<{ readonly CachesDeleted: readonly string[] | null; readonly SpaceReclaimed: number }> {
      const query = {
        all: options.all,
        'keep-storage': options.keepStorage,
        filters: filtersText(options.filters),
      };
      return transport.call('POST', '/build/prune', { query, signal });
    },
  };
}
