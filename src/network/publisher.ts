import type { PortMap } from '../api/index.ts';
import { EngineError, messageOf } from '../errors/index.ts';
import { bridgeRulesOf } from './bridges.ts';
import type { HostPorts } from './host-ports.ts';
import { nft } from './kernel.ts';
import type { ConnectRequest } from './networks.ts';
import { portRequests } from './ports.ts';
import type { NetworkRecords } from './records.ts';
import { type PortRule, portsScript, tableScript } from './rules.ts';
import type { SandboxEndpoint } from './sandbox.ts';

export interface PublisherOptions {
  readonly instance: string;
  readonly records: NetworkRecords;
  readonly ports: HostPorts;
  readonly onWarning: (message: string, error: unknown) => void;
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
    const { ports } = this.#options;
    try {
      const { rules, bindings } = await ports.publish({ containerId, address: endpoint.address, requests });
      await this.#apply('add', rules);
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
    const { instance, records, ports } = this.#options;
    const pick = (map: PortMap, isChanged: boolean): PortMap =>
      Object.fromEntries(Object.entries(map).filter(([key]) => changed.has(key) === isChanged));
    const isChanged = ({ port, protocol }: PortRule) => changed.has(`${port}/${protocol}`);
    const old = ports.release(containerId, isChanged);
    try {
      const requests = portRequests(pick(portBindings, true));
      const { rules, bindings } = await ports.publish({ containerId, address: endpoint.address, requests });
      if (old.length > 0) await this.#apply('delete', old);
      if (rules.length > 0) await this.#apply('add', rules);
      return { ...exposedOnly(portBindings), ...pick(before, false), ...bindings };
    } catch (error) {
      ports.release(containerId, isChanged);
      await ports.adopt(containerId, endpoint.address, pick(before, true));
      await nft(tableScript(instance, bridgeRulesOf(records.all()), ports.rules()));
      throw failed(request, endpoint, error);
    }
  }

  /** Takes all of a container's ports back. */
  async withdraw(containerId: string): Promise<void> {
    const rules = this.#options.ports.release(containerId);
    if (rules.length > 0) await this.#apply('delete', rules);
  }

  /** Where somebody flushed or deleted our table, it is made anew from what is known. */
  async #apply(verb: 'add' | 'delete', rules: readonly PortRule[]): Promise<void> {
    const { instance, records, ports, onWarning } = this.#options;
    try {
      await nft(portsScript(verb, instance, rules));
    } catch (error) {
      onWarning('Cannot change published ports, making the rules anew', error);
      await nft(tableScript(instance, bridgeRulesOf(records.all()), ports.rules()));
    }
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
