import type { EndpointSettings } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import type { NetworkState } from './attachments.ts';
import {
  endpointFrom,
  hasNames,
  makeEndpoint,
  renamedSettings,
  settingsOf,
  storedEndpoints,
} from './endpoint-settings.ts';
import { assertJoinable } from './joinable.ts';
import { readNamespace } from './kernel.ts';
import type { Connection, JoinRequest, LeaveRequest, RenameRequest, RepublishRequest } from './networks.ts';
import type { PublishedEndpoint, Publisher } from './publisher.ts';
import type { NetworkRecord } from './records.ts';
import { firstByPriority, freeDevice, type SandboxEndpoint } from './sandbox.ts';

export interface LiveMembershipsOptions {
  readonly state: NetworkState;
  readonly publisher: Publisher;
  /** Called before an address of the network is reserved. */
  readonly makeRoom: (record: NetworkRecord, settings: Partial<EndpointSettings>) => Promise<void>;
}

/** Brings containers that run onto networks and off again; see `Networks` for the contract. */
export class LiveMemberships {
  readonly #state: NetworkState;
  readonly #publisher: Publisher;
  readonly #makeRoom: LiveMembershipsOptions['makeRoom'];

  constructor({ state, publisher, makeRoom }: LiveMembershipsOptions) {
    this.#state = state;
    this.#publisher = publisher;
    this.#makeRoom = makeRoom;
  }

  async join(request: JoinRequest, connection: Connection): Promise<Connection> {
    const { endpoints, sandboxes, resolvers, records } = this.#state;
    const { containerId, containerName, settings } = request;
    const record = this.#joinable(request, connection);
    using _joining = endpoints.joining(containerId, [record.id]);
    await this.#makeRoom(record, settings);
    const endpoint = makeEndpoint(this.#state, { record, settings });
    const isGateway = endpoint.gateway !== '' && this.#gatewayOf(connection) === undefined;
    try {
      const { devices } = await this.#look(connection);
      const device = deviceFor(endpoint, devices);
      await sandboxes.add(connection.namespacePath, endpoint, { device, isGateway });
      const resolver = connection.resolver ?? (hasNames(record) ? { servers: request.dns ?? [] } : undefined);
      if (resolver !== undefined && !resolvers.has(containerId)) {
        await resolvers.open({ containerId, namespacePath: connection.namespacePath, ...resolver });
      }
      const ports = isGateway ? await this.#publisher.publish(request, endpoint) : connection.ports;
      const joined: Connection = {
        ...connection,
        endpoints: {
          ...connection.endpoints,
          [record.name]: settingsOf({ request, record, settings, endpoint }),
        },
        ports,
        ...(resolver === undefined ? {} : { resolver }),
      };
      // The one that may fail comes first.
      records.recordUse('connect', containerId, [record.id]);
      endpoints.attach(containerId, storedEndpoints(containerId, containerName, joined), records.all());
      return joined;
    } catch (error) {
      if (connection.resolver === undefined) resolvers.close(containerId);
      try {
        if (isGateway) await this.#publisher.withdraw(containerId);
      } finally {
        sandboxes.remove('', [endpoint.endpointId], () => {
          endpoints.free(record.id, endpoint.address);
        });
      }
      await sandboxes.idle();
      throw error;
    }
  }

  async leave(request: LeaveRequest, connection: Connection): Promise<Connection> {
    const { endpoints, sandboxes, records } = this.#state;
    const { containerId, containerName } = request;
    const record = records.find(request.network);
    const { [record.name]: left, ...others } = connection.endpoints;
    if (left === undefined) {
      throw new EngineError(
        'forbidden',
        `container ${containerId} is not connected to the network ${record.name}`,
      );
    }
    const wasGateway = this.#gatewayOf(connection)?.EndpointID === left.EndpointID;
    if (wasGateway) await this.#publisher.withdraw(containerId);
    if (left.IPAddress !== '') {
      sandboxes.remove('', [left.EndpointID], () => {
        endpoints.free(record.id, left.IPAddress);
      });
      await sandboxes.idle();
    }
    const remaining: Connection = { ...connection, endpoints: others };
    const ports = wasGateway ? await this.#moveGateway(request, remaining) : connection.ports;
    endpoints.attach(containerId, storedEndpoints(containerId, containerName, remaining), records.all());
    records.recordUse('disconnect', containerId, [record.id]);
    return { ...remaining, ports };
  }

  /** Makes interfaces anew that a running container has lost. */
  async restore(connection: Connection, lost: readonly EndpointSettings[]): Promise<void> {
    const { sandboxes, records } = this.#state;
    const gatewayId = this.#gatewayOf(connection)?.EndpointID;
    const up = records.up();
    for (const settings of lost) {
      const record = up.find(({ id }) => id === settings.NetworkID);
      if (record?.bridge === undefined) continue;
      const { devices } = await this.#look(connection);
      const endpoint = endpointFrom(settings, record, record.bridge);
      const device = deviceFor(endpoint, devices);
      await sandboxes.add(connection.namespacePath, endpoint, { device, isGateway: false });
      if (settings.EndpointID === gatewayId) {
        await sandboxes.routeBy(connection.namespacePath, { gateway: settings.Gateway, device });
      }
    }
  }

  rename(request: RenameRequest, connection: Connection): Connection {
    const { endpoints, records } = this.#state;
    const { containerId, containerName } = request;
    const renamed: Connection = {
      ...connection,
      endpoints: Object.fromEntries(
        Object.entries(connection.endpoints).map(([network, settings]) => [
          network,
          renamedSettings(request, settings),
        ]),
      ),
    };
    endpoints.attach(containerId, storedEndpoints(containerId, containerName, renamed), records.all());
    return renamed;
  }

  async republish(request: RepublishRequest, connection: Connection): Promise<Connection> {
    const { containerId, containerName, portBindings } = request;
    const gateway = this.#gatewayOf(connection);
    if (gateway === undefined) {
      return { ...connection, ports: await this.#publisher.publish(request, undefined) };
    }
    const ports = await this.#publisher.republish(
      { containerId, containerName, portBindings, changed: new Set(request.changed) },
      publishedEndpoint(gateway),
      connection.ports,
    );
    return { ...connection, ports };
  }

  /** The way out, and what is published, go over to another endpoint. */
  async #moveGateway(request: LeaveRequest, connection: Connection): Promise<Connection['ports']> {
    const next = this.#gatewayOf(connection);
    if (next === undefined) return this.#publisher.publish(request, undefined);
    const { deviceOf } = await this.#look(connection);
    await this.#state.sandboxes.routeBy(connection.namespacePath, {
      gateway: next.Gateway,
      device: deviceOf(next.IPAddress),
    });
    return this.#publisher.publish(request, publishedEndpoint(next));
  }

  /** The endpoint that the default route leads by. */
  #gatewayOf(connection: Connection): EndpointSettings | undefined {
    const ways = Object.values(connection.endpoints).filter(({ Gateway }) => Gateway !== '');
    return firstByPriority(ways, ({ GwPriority }) => GwPriority);
  }

  async #look({ namespacePath }: Connection) {
    const links = await readNamespace(namespacePath);
    return {
      devices: new Set(links.map(({ ifname }) => ifname)),
      deviceOf: (address: string) =>
        links.find(({ addr_info = [] }) => addr_info.some(({ local }) => local === address))?.ifname ?? '',
    };
  }

  #joinable({ network, settings }: JoinRequest, connection: Connection): NetworkRecord {
    const record = this.#state.records.find(network);
    assertJoinable(record, settings, Object.keys(connection.endpoints));
    if (record.name in connection.endpoints) {
      throw new EngineError(
        'forbidden',
        `endpoint with this container already exists in network ${record.name}`,
      );
    }
    const gateway = this.#gatewayOf(connection);
    if (gateway !== undefined && !record.internal && (settings.GwPriority ?? 0) > gateway.GwPriority) {
      throw new EngineError(
        'invalidArgument',
        'the default gateway of a running container cannot be changed',
      );
    }
    return record;
  }
}

function publishedEndpoint(settings: EndpointSettings): PublishedEndpoint {
  const { NetworkID, EndpointID, IPAddress, Gateway } = settings;
  return { networkId: NetworkID, endpointId: EndpointID, address: IPAddress, gateway: Gateway };
}

function deviceFor(endpoint: SandboxEndpoint, taken: ReadonlySet<string>): string {
  const { device } = endpoint;
  if (device === undefined) return freeDevice(endpoint, taken);
  if (taken.has(device)) {
    throw new EngineError('conflict', `an interface of the container is called ${device} already`);
  }
  return device;
}
