import type { EndpointSettings } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { randomId } from '../lib/ids.ts';
import { assertEndpointSettings } from './check-settings.ts';
import type { Resolvers } from './dns/resolvers.ts';
import { deviceOf } from './endpoint-options.ts';
import {
  type EndpointParts,
  hasNames,
  makeEndpoint,
  settingsOf,
  storedEndpoints,
} from './endpoint-settings.ts';
import type { Endpoints } from './endpoints.ts';
import type { Connection, ConnectRequest } from './networks.ts';
import { Pool } from './pool.ts';
import { portRequests } from './ports.ts';
import type { Publisher } from './publisher.ts';
import type { NetworkRecord, NetworkRecords } from './records.ts';
import { gatewayOf, type Sandbox, type SandboxEndpoint, type Sandboxes } from './sandbox.ts';

/** What one engine knows of its networks; shared by those who change it. */
export interface NetworkState extends EndpointParts {
  readonly resolvers: Resolvers;
}

export interface AttachmentsOptions {
  readonly publisher: Publisher;
  readonly state: NetworkState;
  readonly poolSize: number;
  readonly onWarning: (message: string, error: unknown) => void;
  /** Called when namespaces were made in the background. */
  readonly onRefill: () => void;
}

/** Brings containers onto networks and off again; see `Networks` for the contract. */
export class Attachments {
  readonly #state: NetworkState;
  readonly #publisher: Publisher;
  readonly #records: NetworkRecords;
  readonly #endpoints: Endpoints;
  readonly #sandboxes: Sandboxes;
  readonly #resolvers: Resolvers;
  readonly #pool: Pool<Sandbox>;
  readonly #onRefill: () => void;

  constructor({ publisher, state, poolSize, onWarning, onRefill }: AttachmentsOptions) {
    this.#publisher = publisher;
    this.#state = state;
    this.#records = state.records;
    this.#endpoints = state.endpoints;
    this.#sandboxes = state.sandboxes;
    this.#resolvers = state.resolvers;
    this.#onRefill = onRefill;
    this.#pool = new Pool({
      size: (ready) => Math.min(poolSize, this.#mostReady(ready)),
      build: async (count) => this.#buildForPool(count),
      destroy: async (sandboxes) => {
        for (const sandbox of sandboxes) this.#discard(sandbox);
        await this.#sandboxes.idle();
      },
      onError: (error) => {
        onWarning('Cannot prepare network namespaces', error);
      },
    });
  }

  /** Starts to keep namespaces ready on the default bridge. */
  async fill(): Promise<void> {
    await this.#pool.fill();
  }

  /** Removes those that nobody took. */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  /**
   * For an address of a network that has none left, or not the one that is wanted: what stands ready gives its own back,
   * and those of containers that ended are free soon.
   */
  async makeRoom(record: NetworkRecord, { IPAMConfig }: Partial<EndpointSettings> = {}): Promise<void> {
    const isFull = this.#endpoints.freeCount(record) === 0;
    if (!isFull && !this.#endpoints.isTaken(record, IPAMConfig?.IPv4Address ?? '')) return;
    if (isFull && record.name === 'bridge') await this.#pool.drain();
    await this.#sandboxes.idle();
  }

  async connect(request: ConnectRequest, signal?: AbortSignal): Promise<Connection> {
    const networks = this.#wanted(request);
    portRequests(request.portBindings);
    using _joining = this.#endpoints.joining(
      request.containerId,
      networks.map(({ record }) => record.id),
    );
    const sandbox = await this.#sandboxFor(networks, request.containerId, signal);
    try {
      signal?.throwIfAborted();
      const namespacePath = this.#sandboxes.pathOf(sandbox.sandboxId);
      const resolver = networks.some(({ record }) => hasNames(record))
        ? { servers: request.dns ?? [] }
        : undefined;
      if (resolver !== undefined) {
        await this.#resolvers.open({ containerId: request.containerId, namespacePath, ...resolver });
      }
      const ports = await this.#publisher.publish(request, gatewayOf(sandbox));
      const connection: Connection = {
        namespacePath,
        sandboxId: sandbox.sandboxId,
        endpoints: Object.fromEntries(
          networks.map(({ record, settings }, index) => [
            record.name,
            settingsOf({ request, record, settings, endpoint: sandbox.endpoints[index] }),
          ]),
        ),
        ports,
        ...(resolver === undefined ? {} : { resolver }),
      };
      this.#announce(request, connection);
      return connection;
    } catch (error) {
      this.#resolvers.close(request.containerId);
      try {
        await this.#publisher.withdraw(request.containerId);
      } finally {
        this.#discard(sandbox);
      }
      throw error;
    }
  }

  async release(containerId: string, connection: Connection): Promise<void> {
    this.#resolvers.close(containerId);
    const known = this.#endpoints.detach(containerId);
    const stored = storedEndpoints(containerId, '', connection).filter(({ address }) => address !== '');
    try {
      await this.#publisher.withdraw(containerId);
    } finally {
      this.#sandboxes.remove(
        connection.namespacePath,
        stored.map(({ endpointId }) => endpointId),
        () => {
          // A container that is not known has its addresses taken by nobody, or by a later one.
          for (const { networkId, address } of known) this.#endpoints.free(networkId, address);
        },
      );
    }
    this.#records.recordUse(
      'disconnect',
      containerId,
      known.map(({ networkId }) => networkId),
    );
  }

  /** The networks a container asks for, its network mode's first. */
  #wanted({ networkMode, endpoints }: ConnectRequest): WantedNetwork[] {
    const mode = networkMode === 'default' || networkMode === '' ? 'bridge' : networkMode;
    const first = this.#records.find(mode);
    if (first.driver === 'host') {
      throw new EngineError('invalidArgument', 'the host network has no namespace of its own');
    }
    const settingsFor = (record: NetworkRecord) =>
      endpoints[record.name] ??
      endpoints[record.id] ??
      (record.name === 'bridge' ? endpoints['default'] : undefined) ??
      {};
    if (first.driver === 'null') return [{ record: first, settings: settingsFor(first) }];
    const others = Object.keys(endpoints)
      .filter((name) => name !== 'default')
      .map((name) => this.#records.find(name))
      .filter((record) => record.id !== first.id && record.driver === 'bridge');
    const wanted = [first, ...others].map((record) => {
      const settings = settingsFor(record);
      assertEndpointSettings(record.name, settings);
      return { record, settings };
    });
    const devices = wanted.flatMap(({ settings }) => deviceOf(settings.DriverOpts) ?? []);
    const twice = devices.find((device, index) => devices.indexOf(device) < index);
    if (twice !== undefined) {
      throw new EngineError('invalidArgument', `two interfaces cannot both be called ${twice}`);
    }
    return wanted;
  }

  async #sandboxFor(
    networks: readonly WantedNetwork[],
    containerId: string,
    signal?: AbortSignal,
  ): Promise<Sandbox> {
    const [first] = networks;
    const isHeld = this.#endpoints.isHeld(containerId);
    if (first?.record.name === 'bridge' && networks.length === 1 && isPlain(first.settings) && !isHeld) {
      return this.#pool.take();
    }
    // The interface that had the same address must not be there beside the new one.
    if (isHeld) await this.#sandboxes.idle();
    const endpoints: SandboxEndpoint[] = [];
    try {
      for (const { record, settings } of networks) {
        if (record.bridge === undefined) continue;
        await this.makeRoom(record, settings);
        endpoints.push(makeEndpoint(this.#state, { record, settings, containerId }));
      }
    } catch (error) {
      for (const { networkId, address } of endpoints) this.#endpoints.free(networkId, address);
      throw error;
    }
    const sandbox = { sandboxId: randomId(), endpoints };
    await this.#build([sandbox], signal);
    return sandbox;
  }

  async #buildForPool(count: number): Promise<Sandbox[]> {
    const record = this.#records.find('bridge');
    if (record.bridge === undefined) throw new EngineError('unavailable', 'the default bridge is not up');
    // Not at other times: the address is to be taken at once.
    if (this.#endpoints.freeCount(record) === 0) await this.makeRoom(record);
    const sandboxes = Array.from({ length: count }, () => ({
      sandboxId: randomId(),
      endpoints: [makeEndpoint(this.#state, { record, settings: {} })],
    }));
    await this.#build(sandboxes);
    this.#onRefill();
    return sandboxes;
  }

  /** Of the free addresses the pool leaves three quarters to those that it cannot serve. */
  #mostReady(ready: number): number {
    return Math.floor((this.#endpoints.freeCount(this.#records.find('bridge')) + ready) / 4);
  }

  /** On failure the addresses are free again. */
  async #build(sandboxes: readonly Sandbox[], signal?: AbortSignal): Promise<void> {
    try {
      await this.#sandboxes.build(sandboxes, signal);
    } catch (error) {
      for (const { networkId, address } of sandboxes.flatMap(({ endpoints }) => endpoints)) {
        this.#endpoints.free(networkId, address);
      }
      throw error;
    }
  }

  #discard(sandbox: Sandbox): void {
    this.#sandboxes.remove(
      this.#sandboxes.pathOf(sandbox.sandboxId),
      sandbox.endpoints.map(({ endpointId }) => endpointId),
      () => {
        for (const { networkId, address } of sandbox.endpoints) this.#endpoints.free(networkId, address);
      },
    );
  }

  #announce({ containerId, containerName }: ConnectRequest, connection: Connection): void {
    const endpoints = storedEndpoints(containerId, containerName, connection);
    // The one that may fail comes first.
    this.#records.recordUse(
      'connect',
      containerId,
      endpoints.map(({ networkId }) => networkId),
    );
    this.#endpoints.attach(containerId, endpoints, this.#records.all());
  }
}

interface WantedNetwork {
  readonly record: NetworkRecord;
  readonly settings: Partial<EndpointSettings>;
}

/** Any endpoint will do, also one that was made before. */
function isPlain({ MacAddress, IPAMConfig, GwPriority, DriverOpts }: Partial<EndpointSettings>): boolean {
  const hasOptions = Object.keys(DriverOpts ?? {}).length > 0;
  return !MacAddress && !GwPriority && !hasOptions && (IPAMConfig?.LinkLocalIPs?.length ?? 0) === 0;
}
