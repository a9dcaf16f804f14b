import { isIP } from 'node:net';
import type { EndpointSettings } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { problemOf } from './endpoint-options.ts';
import { builtinNames } from './records.ts';

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

/**
 * Checks what a client wants of a container's place on a network, as far as the network's name tells: `default` and
 * `container:x` are no networks of their own. Throws `invalidArgument` with Docker's texts.
 */
export function assertEndpointSettings(network: string, settings: Partial<EndpointSettings>): void {
  const { IPv4Address = '', IPv6Address = '', LinkLocalIPs } = settings.IPAMConfig ?? {};
  if (!isUserDefined(network)) {
    if (IPv4Address !== '' || IPv6Address !== '') {
      throw invalid('user specified IP address is supported on user defined networks only');
    }
    if ((settings.Aliases?.length ?? 0) > 0) {
      throw invalid('network-scoped aliases are only supported for user-defined networks');
    }
  }
  if (IPv4Address !== '' && isIP(IPv4Address) !== 4) throw invalid(`invalid IPv4 address: ${IPv4Address}`);
  if (IPv6Address !== '' && isIP(IPv6Address) !== 6) throw invalid(`invalid IPv6 address: ${IPv6Address}`);
  if (IPv6Address !== '') {
    throw invalid(
      `invalid config for network ${network}: invalid endpoint settings:\nno configured subnet contains IP address ${IPv6Address}`,
    );
  }
  for (const address of LinkLocalIPs ?? []) {
    if (isIP(address) === 0) throw invalid(`invalid link-local IP address: ${address}`);
    if (isIP(address) === 6)
      throw invalid(`link-local IP address ${address}: containers have IPv4 addresses only`);
  }
  if ((network === 'host' || network.startsWith('container:')) && (settings.MacAddress ?? '') !== '') {
    throw invalid('conflicting options: mac-address and the network mode');
  }
  const problem = problemOf(settings.DriverOpts);
  if (problem !== undefined) {
    throw invalid(`invalid config for network ${network}: invalid endpoint settings:\n${problem}`);
  }
}

function isUserDefined(network: string): boolean {
  return network !== 'default' && !builtinNames.includes(network) && !network.startsWith('container:');
}
