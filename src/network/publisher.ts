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

/** Publishes containers' ports on the host: the ports held, and the firewall's rules for them. */
export class Publisher {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Of a container's first endpoint; without one, or without a way out, nothing is published. Throws Docker's text. */
  async publish(
    request: Pick<ConnectRequest, 'containerId' | 'containerName' | 'portBindings'>,
    endpoint: Pick<SandboxEndpoint, 'endpointId' | 'address' | 'gateway'> | undefined,
  ): Promise<PortMap> {
    const { containerId, containerName, portBindings } = request;
    const requests = portRequests(portBindings);
    const exposed = Object.fromEntries(Object.keys(portBindings).map((key) => [key, null]));
    if (endpoint === undefined || endpoint.gateway === '' || requests.length === 0) return exposed;
    const { ports } = this.#options;
    try {
      const { rules, bindings } = await ports.publish({ containerId, address: endpoint.address, requests });
      await this.#apply('add', rules);
      return { ...exposed, ...bindings };
    } catch (error) {
      ports.release(containerId);
      throw new EngineError(
        'internal',
        `driver failed programming external connectivity on endpoint ${containerName} (${endpoint.endpointId}): ${messageOf(error)}`,
        { cause: error },
      );
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
