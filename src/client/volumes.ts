import type { Volume, VolumeCreateRequest } from '../api/index.ts';
import { type FilterValues, filtersText } from './filter-values.ts';
import type { Transport } from './transport.ts';

export function volumeCalls(transport: Transport) {
  const at = (name: string) => `/volumes/${encodeURIComponent(name)}`;
  return {
    list(
      filters: FilterValues = {},
      signal?: AbortSignal,
    ): Promise<{ readonly Volumes: readonly Volume[] | null; readonly Warnings: readonly string[] | null }> {
      return transport.call('GET', '/volumes', { query: { filters: filtersText(filters) }, signal });
    },
    create: (request: VolumeCreateRequest = {}, signal?: AbortSignal): Promise<Volume> =>
      transport.call('POST', '/volumes/create', { json: request, signal }),
    inspect: (name: string, signal?: AbortSignal): Promise<Volume> =>
      transport.call('GET', at(name), { signal }),
    remove: (name: string, options: { force?: boolean } = {}, signal?: AbortSignal): Promise<void> =>
      transport.call('DELETE', at(name), { query: options, signal }),
    prune(
      filters: FilterValues = {},
      signal?: AbortSignal,
    ): Promise<{ readonly VolumesDeleted: readonly string[] | null; readonly SpaceReclaimed: number }> {
      return transport.call('POST', '/volumes/prune', { query: { filters: filtersText(filters) }, signal });
    },
  };
}
