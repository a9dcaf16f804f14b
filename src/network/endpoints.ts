import { EngineError } from '../errors/index.ts';
import { type AddressQuery, chooseAddress, contains, countFree, parseSubnet } from './addresses.ts';
import type { Addresses } from './networks.ts';
import type { BridgeRecord, NetworkRecord } from './records.ts';

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

interface Joining {
  readonly containerId: string;
  readonly networkIds: readonly string[];
}

/** Who is on which network, and which addresses are taken. In memory only: running containers tell it at start. */
export class Endpoints {
  readonly #byContainer = new Map<string, readonly Endpoint[]>();
  readonly #used = new Map<string, Set<string>>();
  readonly #last = new Map<string, string>();
  /** Addresses by network id, of containers that are about to come back. */
  readonly #held = new Map<string, Addresses>();
  readonly #joining = new Set<Joining>();

  /** Takes an address: `wanted`, the one held for the container, or the next free one. Throws Docker's texts. */
  reserve(record: NetworkRecord, wanted?: string, containerId?: string): string {
    const bridge = record.bridge;
    if (bridge === undefined) throw new EngineError('internal', `network ${record.name} has no addresses`);
    const subnet = parseSubnet(bridge.subnet);
    const used = this.#usedOf(record);
    const held = this.#held.get(containerId ?? '')?.[record.id];
    if (held !== undefined && (wanted ?? held) === held && contains(subnet, held)) {
      used.add(held);
      return held;
    }
    if (wanted !== undefined) {
      assertInSubnet(record, wanted);
      if (this.isTaken(record, wanted)) throw new EngineError('forbidden', 'Address already in use');
      used.add(wanted);
      return wanted;
    }
    const last = this.#last.get(record.id);
    const address = chooseAddress({
      ...this.#query(record, bridge),
      ...(last === undefined ? {} : { last }),
    });
    used.add(address);
    this.#last.set(record.id, address);
    return address;
  }

  /** How many addresses `reserve` could choose from. */
  freeCount(record: NetworkRecord): number {
    return record.bridge === undefined ? 0 : countFree(this.#query(record, record.bridge));
  }

  isTaken({ id }: NetworkRecord, address: string): boolean {
    return this.#used.get(id)?.has(address) === true || this.#heldOn(id).includes(address);
  }

  free(networkId: string, address: string): void {
    this.#used.get(networkId)?.delete(address);
  }

  /** Keeps addresses for a container, whatever is freed, until `letGo`. */
  hold(containerId: string, addresses: Addresses): void {
    this.#held.set(containerId, addresses);
  }

  /** Ends `hold`: what no interface has is free. */
  letGo(containerId: string): void {
    this.#held.delete(containerId);
  }

  isHeld(containerId: string): boolean {
    return this.#held.has(containerId);
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

  /** Until it is disposed, the container is about to be on these networks. */
  joining(containerId: string, networkIds: readonly string[]): Disposable {
    const joining = { containerId, networkIds };
    this.#joining.add(joining);
    return {
      [Symbol.dispose]: () => {
        this.#joining.delete(joining);
      },
    };
  }

  /** Containers that are about to be on a network, for the first time or again. */
  comingTo(networkId: string): string[] {
    const holders = [...this.#held].flatMap(([id, held]) => (networkId in held ? [id] : []));
    const joining = [...this.#joining].filter(({ networkIds }) => networkIds.includes(networkId));
    return [...new Set([...holders, ...joining.map(({ containerId }) => containerId)])];
  }

  get isEmpty(): boolean {
    return this.#byContainer.size === 0;
  }

  /** Forgets a network's addresses, when it goes or gets another subnet. */
  forget(networkId: string): void {
    this.#used.delete(networkId);
    this.#last.delete(networkId);
  }

  #heldOn(networkId: string): string[] {
    return [...this.#held.values()].flatMap((held) => held[networkId] ?? []);
  }

  #query(record: NetworkRecord, { subnet, range }: BridgeRecord): AddressQuery {
    return {
      subnet: parseSubnet(subnet),
      used: this.#usedOf(record).union(new Set(this.#heldOn(record.id))),
      ...(range === undefined ? {} : { range: parseSubnet(range) }),
    };
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

/** Throws Docker's text for an address that the network does not have. */
export function assertInSubnet({ name, bridge }: NetworkRecord, address: string): void {
  if (bridge === undefined || contains(parseSubnet(bridge.subnet), address)) return;
  throw new EngineError(
    'invalidArgument',
    `invalid config for network ${name}: invalid endpoint settings:\nno configured subnet contains IP address ${address}`,
  );
}
