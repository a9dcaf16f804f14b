import type { EndpointSettings, NetworkCreateRequest, NetworkInspect } from '../api/index.ts';
import { type FilterValues, filtersText } from './filter-values.ts';
import type { Transport } from './transport.ts';

export function networkCalls(transport: Transport) {
  const at = (name: string, rest = '') => `/networks/${encodeURIComponent(name)}${rest}`;
  return {
    list: (filters: FilterValues = {}, signal?: AbortSignal): Promise<NetworkInspect[]> =>
      transport.call('GET', '/networks', { query: { filters: filtersText(filters) }, signal }),
    create(
      request: NetworkCreateRequest,
      signal?: AbortSignal,
    ): Promise<{ readonly Id: string; readonly Warning: string }> {
      return transport.call('POST', '/networks/create', { json: request, signal });
    },
    inspect(
      name: string,
      options: { verbose?: boolean } = {},
      signal?: AbortSignal,
    ): Promise<NetworkInspect> {
      return transport.call('GET', at(name), { query: options, signal });
    },
    remove: (name: string, signal?: AbortSignal): Promise<void> =>
      transport.call('DELETE', at(name), { signal }),
    connect(
      name: string,
      container: string,
      endpoint: Partial<EndpointSettings> = {},
      signal?: AbortSignal,
    ): Promise<void> {
      const json = { Container: container, EndpointConfig: endpoint };
      return transport.call('POST', at(name, '/connect'), { json, signal });
    },
    disconnect(
      name: string,
      container: string,
      options: { force?: boolean } = {},
      signal?: AbortSignal,
    ): Promise<void> {
      const json = { Container: container, Force: options.force ?? false };
      return transport.call('POST', at(name, '/disconnect'), { json, signal });
    },
    prune(
      filters: FilterValues = {},
      signal?: AbortSignal,
    ): Promise<{ readonly NetworksDeleted: readonly string[] | null }> {
      return transport.call('POST', '/networks/prune', { query: { filters: filtersText(filters) }, signal });
    },
  };
}
