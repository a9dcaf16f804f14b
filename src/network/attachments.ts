import type { EndpointSettings, PortMap } from '../api/index.ts';
import { EngineError, messageOf } from '../errors/index.ts';
import { randomId } from '../lib/ids.ts';
import { macOf, parseSubnet } from './addresses.ts';
import { bridgeRulesOf } from './bridges.ts';
import type { Resolvers } from './dns/resolvers.ts';
import type { Endpoint, Endpoints } from './endpoints.ts';
import type { HostPorts } from './host-ports.ts';
import { nft } from './kernel.ts';
import type { Connection, ConnectRequest } from './networks.ts';
import { Pool } from './pool.ts';
import { type PortRequest, portRequests } from './ports.ts';
import { type BridgeRecord, builtinNames, type NetworkRecord, type NetworkRecords } from './records.ts';
import { type PortRule, portsScript, tableScript } from './rules.ts';
import type { Sandbox, SandboxEndpoint, Sandboxes } from './sandbox.ts';

/** What one engine knows of its networks; shared by those who change it. */
export interface NetworkState {
  readonly records: NetworkRecords;
  readonly endpoints: Endpoints;
  readonly sandboxes: Sandboxes;
  readonly ports: HostPorts;
  readonly resolvers: Resolvers;
}

export interface AttachmentsOptions {
  readonly instance: string;
  readonly state: NetworkState;
  readonly poolSize: number;
  readonly onWarning: (message: string, error: unknown) => void;
  /** Called when namespaces were made in the background. */
  readonly onRefill: () => void;
}

/** Brings containers onto networks and off again; see `Networks` for the contract. */
export class Attachments {
  readonly #instance: string;
  readonly #records: NetworkRecords;
  readonly #endpoints: Endpoints;
  readonly #sandboxes: Sandboxes;
  readonly #ports: HostPorts;
  readonly #resolvers: Resolvers;
  readonly #pool: Pool<Sandbox>;
  readonly #onRefill: () => void;
  readonly #onWarning: (message: string, error: unknown) => void;

  constructor({ instance, state, poolSize, onWarning, onRefill }: AttachmentsOptions) {
    this.#instance = instance;
    this.#records = state.records;
    this.#endpoints = state.endpoints;
    this.#sandboxes = state.sandboxes;
    this.#ports = state.ports;
    this.#resolvers = state.resolvers;
    this.#onRefill = onRefill;
    this.#onWarning = onWarning;
    this.#pool = new Pool({
      size: poolSize,
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

  async connect(request: ConnectRequest, signal?: AbortSignal): Promise<Connection> {
    const networks = this.#wanted(request);
    const requests = portRequests(request.portBindings);
    const sandbox = await this.#sandboxFor(networks, signal);
    try {
      signal?.throwIfAborted();
      const namespacePath = this.#sandboxes.pathOf(sandbox.sandboxId);
      const resolver = networks.some(({ record }) => hasNames(record))
        ? { servers: request.dns ?? [] }
        : undefined;
      if (resolver !== undefined) {
        await this.#resolvers.open({ containerId: request.containerId, namespacePath, ...resolver });
      }
      const ports = await this.#publish(request, sandbox, requests);
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
      this.#discard(sandbox);
      throw error;
    }
  }

  async release(containerId: string, connection: Connection): Promise<void> {
    this.#resolvers.close(containerId);
    const rules = this.#ports.release(containerId);
    const known = this.#endpoints.detach(containerId);
    const stored = storedEndpoints(containerId, '', connection).filter(({ address }) => address !== '');
    try {
      if (rules.length > 0) await this.#applyPorts('delete', rules);
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
    const wanted = [first, ...others].map((record) => ({ record, settings: settingsFor(record) }));
    for (const { record, settings } of wanted) {
      if (record.name === 'bridge' && settings.IPAMConfig?.IPv4Address) {
        throw new EngineError(
          'invalidArgument',
          'user specified IP address is supported on user defined networks only',
        );
      }
    }
    return wanted;
  }

  async #sandboxFor(networks: readonly WantedNetwork[], signal?: AbortSignal): Promise<Sandbox> {
    const [first] = networks;
    if (first?.record.name === 'bridge' && networks.length === 1 && !first.settings.MacAddress) {
      return this.#pool.take();
    }
    const endpoints: SandboxEndpoint[] = [];
    try {
      for (const { record, settings } of networks) {
        if (record.bridge !== undefined) endpoints.push(this.#newEndpoint(record, record.bridge, settings));
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
    const { bridge } = record;
    if (bridge === undefined) throw new EngineError('unavailable', 'the default bridge is not up');
    const sandboxes = Array.from({ length: count }, () => ({
      sandboxId: randomId(),
      endpoints: [this.#newEndpoint(record, bridge, {})],
    }));
    await this.#build(sandboxes);
    this.#onRefill();
    return sandboxes;
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

  #newEndpoint(
    record: NetworkRecord,
    bridge: BridgeRecord,
    settings: Partial<EndpointSettings>,
  ): SandboxEndpoint {
    const address = this.#endpoints.reserve(record, settings.IPAMConfig?.IPv4Address || undefined);
    return {
      networkId: record.id,
      endpointId: this.#sandboxes.newEndpointId(),
      bridge: bridge.device,
      mtu: bridge.mtu,
      mac: settings.MacAddress || macOf(address),
      address,
      prefix: parseSubnet(bridge.subnet).prefix,
      gateway: record.internal ? '' : bridge.gateway,
    };
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

  async #publish(
    request: ConnectRequest,
    sandbox: Sandbox,
    requests: readonly PortRequest[],
  ): Promise<PortMap> {
    const exposed = Object.fromEntries(Object.keys(request.portBindings).map((key) => [key, null]));
    const [endpoint] = sandbox.endpoints;
    if (endpoint === undefined || endpoint.gateway === '' || requests.length === 0) return exposed;
    const { containerId, containerName } = request;
    try {
      const { rules, bindings } = await this.#ports.publish({
        containerId,
        address: endpoint.address,
        requests,
      });
      await this.#applyPorts('add', rules);
      return { ...exposed, ...bindings };
    } catch (error) {
      this.#ports.release(containerId);
      throw new EngineError(
        'internal',
        `driver failed programming external connectivity on endpoint ${containerName} (${endpoint.endpointId}): ${messageOf(error)}`,
        { cause: error },
      );
    }
  }

  /** Where somebody flushed or deleted our table, it is made anew from what is known. */
  async #applyPorts(verb: 'add' | 'delete', rules: readonly PortRule[]): Promise<void> {
    try {
      await nft(portsScript(verb, this.#instance, rules));
    } catch (error) {
      this.#onWarning('Cannot change published ports, making the rules anew', error);
      await nft(tableScript(this.#instance, bridgeRulesOf(this.#records.all()), this.#ports.rules()));
    }
  }

  #announce({ containerId, containerName }: ConnectRequest, connection: Connection): void {
    const endpoints = storedEndpoints(containerId, containerName, connection);
    this.#endpoints.attach(containerId, endpoints, this.#records.all());
    this.#records.recordUse(
      'connect',
      containerId,
      endpoints.map(({ networkId }) => networkId),
    );
  }
}

/** The endpoints a stored connection stands for. */
export function storedEndpoints(
  containerId: string,
  containerName: string,
  connection: Connection,
): Endpoint[] {
  return Object.values(connection.endpoints).map((settings) => ({
    containerId,
    containerName,
    networkId: settings.NetworkID,
    endpointId: settings.EndpointID,
    mac: settings.MacAddress,
    address: settings.IPAddress,
    prefix: settings.IPPrefixLen,
    names: settings.DNSNames ?? [],
    links: settings.Links ?? [],
  }));
}

interface WantedNetwork {
  readonly record: NetworkRecord;
  readonly settings: Partial<EndpointSettings>;
}

interface SettingsInput {
  readonly request: ConnectRequest;
  readonly record: NetworkRecord;
  readonly settings: Partial<EndpointSettings>;
  readonly endpoint: SandboxEndpoint | undefined;
}

function settingsOf({ request, record, settings, endpoint }: SettingsInput): EndpointSettings {
  const aliases = settings.Aliases ?? null;
  const { containerName, containerId, hostname } = request;
  const names = [
    containerName,
    ...(aliases ?? []),
    containerId.slice(0, 12),
    ...(hostname ? [hostname] : []),
  ];
  return {
    IPAMConfig: settings.IPAMConfig ?? null,
    Links: settings.Links ?? null,
    Aliases: aliases,
    MacAddress: endpoint?.mac ?? '',
    DriverOpts: settings.DriverOpts ?? null,
    GwPriority: settings.GwPriority ?? 0,
    NetworkID: record.id,
    EndpointID: endpoint?.endpointId ?? randomId(),
    Gateway: endpoint?.gateway ?? '',
    IPAddress: endpoint?.address ?? '',
    IPPrefixLen: endpoint?.prefix ?? 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: hasNames(record) ? [...new Set(names)] : null,
  };
}

/** Only on user-defined networks do containers know each other by name. */
function hasNames(record: NetworkRecord): boolean {
  return !builtinNames.includes(record.name);
}
