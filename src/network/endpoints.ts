import { EngineError } from '../errors/index.ts';
import { type AddressQuery, chooseAddress, contains, parseSubnet } from './addresses.ts';
import type { NetworkRecord } from './records.ts';

/** A container's place on a network. */
export interface Endpoint {
  readonly containerId: string;
  readonly containerName: string;
  readonly networkId: string;
  readonly endpointId: string;
  readonly mac: string;
  /** '' on the `none` network. */
  readonly address: string;
  readonly prefix: number;
  /** What it is called on this network. */
  readonly names: readonly string[];
  /** `CONTAINER:ALIAS`: names that others have for it alone. */
  readonly links: readonly string[];
}

/** Who is on which network, and which addresses are taken. In memory only: running containers tell it at start. */
export class Endpoints {
  readonly #byContainer = new Map<string, readonly Endpoint[]>();
  readonly #used = new Map<string, Set<string>>();
  readonly #last = new Map<string, string>();

  /** Takes an address: `wanted`, or the next free one. Throws Docker's texts. */
  reserve(record: NetworkRecord, wanted?: string): string {
    const bridge = record.bridge;
    if (bridge === undefined) throw new EngineError('internal', `network ${record.name} has no addresses`);
    const subnet = parseSubnet(bridge.subnet);
    const used = this.#usedOf(record);
    if (wanted !== undefined) {
      if (!contains(subnet, wanted)) {
        throw new EngineError(
          'invalidArgument',
          `invalid config for network ${record.name}: invalid endpoint settings:\nno configured subnet contains IP address ${wanted}`,
        );
      }
      if (used.has(wanted)) throw new EngineError('forbidden', 'Address already in use');
      used.add(wanted);
      return wanted;
    }
    const last = this.#last.get(record.id);
    const query: AddressQuery = {
      subnet,
      used,
      ...(last === undefined ? {} : { last }),
      ...(bridge.range === undefined ? {} : { range: parseSubnet(bridge.range) }),
    };
    const address = chooseAddress(query);
    used.add(address);
    this.#last.set(record.id, address);
    return address;
  }

  free(networkId: string, address: string): void {
    this.#used.get(networkId)?.delete(address);
  }

  /** Makes a container's endpoints known; addresses of ones that run already are taken too. */
  attach(containerId: string, endpoints: readonly Endpoint[], records: readonly NetworkRecord[]): void {
    this.#byContainer.set(containerId, endpoints);
    for (const { networkId, address } of endpoints) {
      const record = records.find(({ id }) => id === networkId);
      if (record?.bridge !== undefined && address !== '') this.#usedOf(record).add(address);
    }
  }

  /** Forgets them; their addresses stay taken until `free`. */
  detach(containerId: string): readonly Endpoint[] {
    const endpoints = this.#byContainer.get(containerId) ?? [];
    this.#byContainer.delete(containerId);
    return endpoints;
  }

  of(containerId: string): readonly Endpoint[] {
    return this.#byContainer.get(containerId) ?? [];
  }

  on(networkId: string): Endpoint[] {
    return [...this.#byContainer.values()].flat().filter((endpoint) => endpoint.networkId === networkId);
  }

  get isEmpty(): boolean {
    return this.#byContainer.size === 0;
  }

  /** Forgets a network's addresses, when it goes or gets another subnet. */
  forget(networkId: string): void {
    this.#used.delete(networkId);
    this.#last.delete(networkId);
  }

  #usedOf({ id, bridge }: NetworkRecord): Set<string> {
    let used = this.#used.get(id);
    if (used === undefined) {
      used = new Set([bridge?.gateway ?? '', ...Object.values(bridge?.auxiliary ?? {})]);
      this.#used.set(id, used);
    }
    return used;
  }
}
