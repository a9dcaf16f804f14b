import type { EndpointSettings } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { assertEndpointSettings } from './check-settings.ts';
import { assertInSubnet } from './endpoints.ts';
import type { NetworkRecord } from './records.ts';

/** Whether a container that is on some networks, by name, may come onto one more. Throws Docker's texts. */
export function assertJoinable(
  record: NetworkRecord,
  settings: Partial<EndpointSettings>,
  joined: readonly string[],
): void {
  if (record.driver === 'host') {
    throw new EngineError(
      'invalidArgument',
      'cannot connect container to host network - container must be created in host network mode',
    );
  }
  if (record.driver === 'null' || joined.includes('none')) {
    throw new EngineError(
      'forbidden',
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  }
  assertEndpointSettings(record.name, settings);
  const address = settings.IPAMConfig?.IPv4Address ?? '';
  if (address !== '') assertInSubnet(record, address);
}
