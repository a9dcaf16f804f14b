import type { Filters, NetworkInspect } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import {
  booleanFilter,
  matchesPattern,
  passesAny,
  passesLabels,
  passesUntil,
} from '../lib/object-filters.ts';
import type { Endpoint } from './endpoints.ts';
import { builtinNames, type NetworkRecord } from './records.ts';

/** A network as the API shows it. */
export function inspectOf(record: NetworkRecord, endpoints: readonly Endpoint[]): NetworkInspect {
  return {
    Name: record.name,
    Id: record.id,
    Created: new Date(record.createdAtMs).toISOString(),
    Scope: 'local',
    Driver: record.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: 'default',
      Options: record.ipamOptions ?? null,
      Config: poolsOf(record),
    },
    Internal: record.internal,
    Attachable: record.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      endpoints.map((endpoint) => [
        endpoint.containerId,
        {
          Name: endpoint.containerName,
          EndpointID: endpoint.endpointId,
          MacAddress: endpoint.mac,
          IPv4Address: endpoint.address === '' ? '' : `${endpoint.address}/${endpoint.prefix}`,
          IPv6Address: '',
        },
      ]),
    ),
    Options: record.options,
    Labels: record.labels,
  };
}

function poolsOf({ bridge }: NetworkRecord): NetworkInspect['IPAM']['Config'] {
  if (bridge === undefined) return [];
  return [
    {
      Subnet: bridge.subnet,
      ...(bridge.range === undefined ? {} : { IPRange: bridge.range }),
      ...(bridge.gatewayChosen ? {} : { Gateway: bridge.gateway }),
      ...(bridge.auxiliary === undefined ? {} : { AuxiliaryAddresses: bridge.auxiliary }),
    },
  ];
}

/** Docker's filters of `network ls` and `network prune`; unknown keys are the caller's to refuse. Throws `invalidArgument` for a bad type. */
export function matches(record: NetworkRecord, filters: Filters, isUsed: boolean): boolean {
  const isBuiltin = builtinNames.includes(record.name);
  const dangling = booleanFilter(filters, 'dangling');
  const any = (key: string, holds: (value: string) => boolean) => passesAny(filters, key, holds);
  return (
    any('name', (value) => matchesPattern(record.name, value)) &&
    any('id', (value) => matchesPattern(record.id, value)) &&
    any('driver', (value) => record.driver === value) &&
    any('scope', (value) => value === 'local') &&
    any('type', (value) => isOfType(value, isBuiltin)) &&
    (dangling === undefined || dangling === (!isUsed && !isBuiltin)) &&
    passesLabels(record.labels, filters) &&
    passesUntil(record.createdAtMs, filters)
  );
}

function isOfType(value: string, isBuiltin: boolean): boolean {
  if (value !== 'builtin' && value !== 'custom') {
    throw new EngineError('invalidArgument', `invalid filter: 'type'='${value}'`);
  }
  return (value === 'builtin') === isBuiltin;
}
