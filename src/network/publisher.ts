import type { PortMap } from '../api/index.ts';
import { EngineError, messageOf } from '../errors/index.ts';
import type { HostPorts } from './host-ports.ts';
import type { ConnectRequest } from './networks.ts';
import { portRequests } from './ports.ts';
import type { RuleTable } from './rule-table.ts';
import type { PortRule } from './rules.ts';
import type { SandboxEndpoint } from './sandbox.ts';

export interface PublisherOptions {
  readonly ports: HostPorts;
  readonly table: RuleTable;
}

export type PublicationRequest = Pick<ConnectRequest, 'containerId' | 'containerName' | 'portBindings'>;
export type PublishedEndpoint = Pick<SandboxEndpoint, 'endpointId' | 'address' | 'gateway'>;

/** Publishes containers' ports on the host: the ports held, and the firewall's rules for them. */
export class Publisher {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Of a container's first endpoint; without one, or without a way out, nothing is published. Throws Docker's text. */
  async publish(request: PublicationRequest, endpoint: PublishedEndpoint | undefined): Promise<PortMap> {
    const { containerId, portBindings } = request;
    const requests = portRequests(portBindings);
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
      const requests = portRequests(pick(portBindings, true));
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
