import type { ContainerCreateRequest, EndpointSettings, HostConfig } from '../../api/index.ts';
import { askedSettings, assertEndpointSettings } from '../../network/index.ts';
import { joinedContainer } from '../spec/index.ts';
import { invalid } from './invalid.ts';

/**
 * The networks a container is to be on, by name or id, with what the client wants there. The MAC address that clients
 * gave for the whole container before API 1.44 is its main network's. Throws `invalidArgument` with Docker's texts.
 */
export function endpointsOf(
  request: ContainerCreateRequest,
  { NetworkMode: mode }: HostConfig,
): Record<string, Partial<EndpointSettings>> {
  const endpoints = Object.fromEntries(
    Object.entries(request.NetworkingConfig?.EndpointsConfig ?? {}).map(([network, settings]) => [
      network,
      askedSettings(settings),
    ]),
  );
  for (const [network, settings] of Object.entries(endpoints)) assertEndpointSettings(network, settings);
  const mac = request.MacAddress ?? '';
  if (mac === '') return endpoints;
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(mac)) throw invalid(`invalid MAC address: address ${mac}`);
  if (mode === 'host' || joinedContainer(mode) !== undefined) {
    throw invalid('conflicting options: mac-address and the network mode');
  }
  if (mode === 'none') return endpoints;
  const main = Object.keys(endpoints).length === 0 ? mode : mainOf(endpoints, mode);
  const own = endpoints[main]?.MacAddress ?? '';
  if (own !== '' && own !== mac) {
    throw invalid(
      'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
    );
  }
  return { ...endpoints, [main]: { ...endpoints[main], MacAddress: mac } };
}

function mainOf(endpoints: Readonly<Record<string, unknown>>, mode: string): string {
  const names = mode === 'bridge' || mode === 'default' ? ['bridge', 'default'] : [mode];
  const main = names.find((name) => name in endpoints);
  if (main !== undefined) return main;
  throw invalid(
    'unable to migrate container-wide MAC address to a specific network: HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks',
  );
}
