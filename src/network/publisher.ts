import type { PortMap } from '../api/index.ts';
import { EngineError, messageOf } from '../errors/index.ts';
import { bridgeOptions } from './bridge-options.ts';
import type { HostPorts } from './host-ports.ts';
import type { ConnectRequest } from './networks.ts';
import { type PortRequest, portRequests } from './ports.ts';
import type { NetworkRecords } from './records.ts';
import type { RuleTable } from './rule-table.ts';
import type { PortRule } from './rules.ts';
import type { SandboxEndpoint } from './sandbox.ts';

export interface PublisherOptions {
  readonly records: NetworkRecords;
  readonly ports: HostPorts;
  readonly table: RuleTable;
}

export type PublicationRequest = Pick<ConnectRequest, 'containerId' | 'containerName' | 'portBindings'>;
export type PublishedEndpoint = Pick<SandboxEndpoint, 'networkId' | 'endpointId' | 'address' | 'gateway'>;

/** Publishes containers' ports on the host: the ports held, and the firewall's rules for them. */
export class Publisher {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Of a container's first endpoint; without one, or without a way out, nothing is published. Throws Docker's text. */
  async publish(request: PublicationRequest, endpoint: PublishedEndpoint | undefined): Promise<PortMap> {
    const { containerId, portBindings } = request;
    const requests = this.#requests(portBindings, endpoint?.networkId);
    const exposed = exposedOnly(portBindings);
    if (endpoint === undefined || endpoint.gateway === '' || requests.length === 0) return exposed;
    const { ports, table } = this.#options;
    try {
      const { rules, bindings } = await ports.publish({ containerId, address: endpoint.address, requests });
      await table.addPorts(rules);
      return { ...exposed, ...bindings };
    } catch (error) {
      ports.release(containerId);
      throw failed(request, endpoint, error);
    }
  }

  /**
   * Publishes some container ports (`80/tcp`) of a container in another way, the others as they are; on failure all is
   * as before.
   */
  async republish(
    request: PublicationRequest & { readonly changed: ReadonlySet<string> },
    endpoint: PublishedEndpoint,
    before: PortMap,
  ): Promise<PortMap> {
    const { containerId, portBindings, changed } = request;
    const { ports, table } = this.#options;
    const pick = (map: PortMap, isChanged: boolean): PortMap =>
      Object.fromEntries(Object.entries(map).filter(([key]) => changed.has(key) === isChanged));
    const isChanged = ({ port, protocol }: PortRule) => changed.has(`${port}/${protocol}`);
    const old = ports.release(containerId, isChanged);
    try {
      const requests = this.#requests(pick(portBindings, true), endpoint.networkId);
      const { rules, bindings } = await ports.publish({ containerId, address: endpoint.address, requests });
      await table.deletePorts(old);
      await table.addPorts(rules);
      return { ...exposedOnly(portBindings), ...pick(before, false), ...bindings };
    } catch (error) {
      ports.release(containerId, isChanged);
      await ports.adopt(containerId, endpoint.address, pick(before, true));
      await table.renew();
      throw failed(request, endpoint, error);
    }
  }

  /** Rejects as `publish` would for a port that is taken by anything but this container. */
  async probe(
    { containerId, portBindings }: Pick<PublicationRequest, 'containerId' | 'portBindings'>,
    endpoint: Pick<PublishedEndpoint, 'networkId' | 'address'> | undefined,
  ): Promise<void> {
    const requests = this.#requests(portBindings, endpoint?.networkId);
    await this.#options.ports.probe({ containerId, address: endpoint?.address ?? '', requests });
  }

  /** With the network's own address of the host where the client gave none. */
  #requests(portBindings: PortMap, networkId: string | undefined): PortRequest[] {
    const { options = {} } = this.#options.records.get(networkId ?? '') ?? {};
    const { hostBinding } = bridgeOptions(options);
    return portRequests(portBindings).map((request) =>
      request.hostIp === '' ? { ...request, hostIp: hostBinding } : request,
    );
  }

  /** Takes all of a container's ports back. */
  async withdraw(containerId: string): Promise<void> {
    const { ports, table } = this.#options;
    await table.deletePorts(ports.release(containerId));
  }
}

function exposedOnly(portBindings: PortMap): PortMap {
  return Object.fromEntries(Object.keys(portBindings).map((key) => [key, null]));
}

function failed(
  { containerName }: PublicationRequest,
  { endpointId }: PublishedEndpoint,
  error: unknown,
): EngineError {
  return new EngineError(
    'internal',
    `driver failed programming external connectivity on endpoint ${containerName} (${endpointId}): ${messageOf(error)}`,
    { cause: error },
  );
}
