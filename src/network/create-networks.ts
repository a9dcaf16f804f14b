import type {
  EndpointSettings,
  Filters,
  NetworkCreateRequest,
  NetworkInspect,
  PortMap,
} from '../api/index.ts';
import type { EngineConfig } from '../config/index.ts';
import { EngineError, messageOf } from '../errors/index.ts';
import { randomId } from '../lib/ids.ts';
import type { Metadata } from '../metadata/index.ts';
import { chooseSubnet, macOf, parseSubnet, takenSubnets } from './addresses.ts';
import { bridgeRulesOf, ensureBridges, ensureBuiltins, makeBridge, withSubnetLock } from './bridges.ts';
import { checkCreateRequest, recordOf } from './create-request.ts';
import { type Endpoint, Endpoints } from './endpoints.ts';
import { type HostFirewall, hostFirewall } from './host-firewall.ts';
import { HostPorts } from './host-ports.ts';
import { inspectOf, matches } from './inspect.ts';
import {
  allowForwarding,
  ipForce,
  type KernelNames,
  kernelNames,
  listNamespaces,
  nft,
  readHost,
} from './kernel.ts';
import type { Connection, ConnectRequest, Networks, RunningContainer } from './networks.ts';
import { Pool } from './pool.ts';
import { type PortRequest, portRequests } from './ports.ts';
import { type BridgeRecord, builtinNames, type NetworkRecord, NetworkRecords } from './records.ts';
import { bridgesScript, portsScript, removeTableScript, tableOf, tableScript } from './rules.ts';
import { type Sandbox, type SandboxEndpoint, Sandboxes } from './sandbox.ts';

export interface NetworksOptions {
  readonly config: EngineConfig;
  readonly metadata: Metadata;
  /** Namespaces kept ready on the default bridge; default 4. */
  readonly poolSize?: number;
  /** Hears of failures in the background, which the next `connect` meets again. */
  readonly onWarning?: (message: string, error: unknown) => void;
}

/** Networks of Linux bridges, nftables and named network namespaces. Call `recover` before anything else. */
export function createNetworks(options: NetworksOptions): Networks {
  return new BridgeNetworks(options);
}

class BridgeNetworks implements Networks {
  readonly #config: EngineConfig;
  readonly #records: NetworkRecords;
  readonly #names: KernelNames;
  readonly #sandboxes: Sandboxes;
  readonly #endpoints = new Endpoints();
  readonly #ports = new HostPorts();
  readonly #pool: Pool<Sandbox>;
  readonly #firewall: HostFirewall;
  readonly #warn: (message: string, error: unknown) => void;
  #firewallCheckedMs = 0;
  #isOpen = false;

  constructor({ config, metadata, poolSize = 4, onWarning = () => undefined }: NetworksOptions) {
    this.#config = config;
    this.#records = new NetworkRecords(metadata);
    ensureBuiltins(this.#records);
    this.#names = kernelNames(config.instance);
    this.#sandboxes = new Sandboxes(this.#names);
    this.#firewall = hostFirewall(this.#names.bridge, tableOf(config.instance));
    this.#warn = onWarning;
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

  get gateway(): string {
    return this.#default().bridge?.gateway ?? '';
  }

  async recover(running: readonly RunningContainer[]): Promise<void> {
    const { config, names } = { config: this.#config, names: this.#names };
    for (const { containerId, containerName = '', connection } of running) {
      const endpoints = this.#stored(containerId, containerName, connection);
      this.#endpoints.attach(containerId, endpoints, []);
      for (const { endpointId } of endpoints) this.#sandboxes.adoptEndpoint(endpointId);
    }
    const inUse = new Set(
      this.#records.all().flatMap(({ id }) => (this.#endpoints.on(id).length > 0 ? [id] : [])),
    );
    await withSubnetLock(config, async () => ensureBridges({ config, names, records: this.#records, inUse }));
    const records = this.#records.all();
    for (const { containerId, connection } of running) {
      const endpoints = this.#endpoints.of(containerId);
      this.#endpoints.attach(containerId, endpoints, records);
      const address = endpoints.find((endpoint) => endpoint.address !== '')?.address;
      if (address !== undefined) await this.#ports.adopt(containerId, address, connection.ports);
    }
    await this.#removeOrphans(running);
    await nft(tableScript(config.instance, bridgeRulesOf(records), this.#ports.rules()));
    await this.#firewall.open();
    this.#firewallCheckedMs = Date.now();
    this.#isOpen = true;
    void this.#pool.fill();
  }

  async connect(request: ConnectRequest, signal?: AbortSignal): Promise<Connection> {
    const networks = this.#wanted(request);
    const requests = portRequests(request.portBindings);
    const sandbox = await this.#sandboxFor(networks, signal);
    try {
      signal?.throwIfAborted();
      const ports = await this.#publish(request, sandbox, requests);
      this.#announce(request, networks, sandbox);
      return {
        namespacePath: this.#sandboxes.pathOf(sandbox.sandboxId),
        sandboxId: sandbox.sandboxId,
        endpoints: Object.fromEntries(
          networks.map(({ record, settings }, index) => [
            record.name,
            settingsOf({ request, record, settings, endpoint: sandbox.endpoints[index] }),
          ]),
        ),
        ports,
      };
    } catch (error) {
      this.#discard(sandbox);
      throw error;
    }
  }

  async release(containerId: string, connection: Connection): Promise<void> {
    const rules = this.#ports.release(containerId);
    const known = this.#endpoints.detach(containerId);
    const stored = this.#stored(containerId, '', connection).filter(({ address }) => address !== '');
    try {
      if (rules.length > 0) await nft(portsScript('delete', this.#config.instance, rules));
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

  resolve(nameOrId: string): NetworkInspect {
    return this.#show(this.#records.find(nameOrId));
  }

  inspect(nameOrId: string): NetworkInspect {
    return this.resolve(nameOrId);
  }

  list(filters: Filters): NetworkInspect[] {
    return this.#records
      .all()
      .filter((record) => matches(record, filters, this.#endpoints.on(record.id).length > 0))
      .map((record) => this.#show(record));
  }

  async create(request: NetworkCreateRequest): Promise<{ readonly Id: string; readonly Warning: string }> {
    const name = checkCreateRequest(request);
    const record = await withSubnetLock(this.#config, async () => {
      const { links, routes } = await readHost();
      const own = this.#records.all().flatMap(({ bridge }) => (bridge ? [parseSubnet(bridge.subnet)] : []));
      const taken = [...own, ...takenSubnets(links, routes, this.#names.ownsLink)];
      if (this.#records.byName(name) !== undefined) {
        throw new EngineError('conflict', `network with name ${name} already exists`);
      }
      const made = recordOf(request, { taken, choose: chooseSubnet }, (id) => this.#names.userBridge(id));
      await this.#open(made);
      return made;
    });
    return { Id: record.id, Warning: '' };
  }

  async remove(nameOrId: string): Promise<void> {
    const record = this.#records.find(nameOrId);
    if (builtinNames.includes(record.name)) {
      throw new EngineError('forbidden', `${record.name} is a pre-defined network and cannot be removed`);
    }
    const used = this.#endpoints.on(record.id);
    if (used.length > 0) {
      const list = used.map((e) => `name:"${e.containerName}" id:"${e.endpointId.slice(0, 12)}"`).join(', ');
      throw new EngineError(
        'forbidden',
        `error while removing network: network ${record.name} has active endpoints (${list})`,
      );
    }
    this.#records.delete(record);
    this.#endpoints.forget(record.id);
    await nft(bridgesScript(this.#config.instance, bridgeRulesOf(this.#records.all())));
    if (record.bridge !== undefined) await ipForce([`link del dev ${record.bridge.device}`]);
  }

  async prune(filters: Filters): Promise<{ readonly NetworksDeleted: readonly string[] }> {
    const NetworksDeleted: string[] = [];
    for (const record of this.#records.all()) {
      if (builtinNames.includes(record.name) || this.#endpoints.on(record.id).length > 0) continue;
      if (!matches(record, filters, false)) continue;
      await this.remove(record.id);
      NetworksDeleted.push(record.name);
    }
    return { NetworksDeleted };
  }

  async shutdown({ keep }: { readonly keep: boolean }): Promise<void> {
    await this.#pool.close();
    await this.#sandboxes.idle();
    this.#ports[Symbol.dispose]();
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const records = this.#records.all();
    const isUsed = (record: NetworkRecord) => this.#endpoints.on(record.id).length > 0;
    const closing = records.filter((record) => !keep || !isUsed(record));
    const lines = closing.flatMap(({ bridge }) =>
      bridge === undefined ? [] : [`link del dev ${bridge.device}`],
    );
    if (!keep || !records.some((record) => record.bridge !== undefined && isUsed(record))) {
      await this.#firewall.close();
      await nft(removeTableScript(this.#config.instance));
    }
    if (!keep) lines.unshift(...(await this.#orphanLines([])));
    await ipForce(lines);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown({ keep: true });
  }

  #default(): NetworkRecord {
    return this.#records.find('bridge');
  }

  #show(record: NetworkRecord): NetworkInspect {
    return inspectOf(record, this.#endpoints.on(record.id));
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
    const record = this.#default();
    const { bridge } = record;
    if (bridge === undefined) throw new EngineError('unavailable', 'the default bridge is not up');
    const sandboxes = Array.from({ length: count }, () => ({
      sandboxId: randomId(),
      endpoints: [this.#newEndpoint(record, bridge, {})],
    }));
    await this.#build(sandboxes);
    this.#checkFirewall();
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
      await nft(portsScript('add', this.#config.instance, rules));
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

  #announce(request: ConnectRequest, networks: readonly WantedNetwork[], sandbox: Sandbox): void {
    const { containerId, containerName } = request;
    const endpoints = networks.map(({ record }, index) => {
      const made = sandbox.endpoints[index];
      return {
        containerId,
        containerName,
        networkId: record.id,
        endpointId: made?.endpointId ?? sandbox.sandboxId,
        mac: made?.mac ?? '',
        address: made?.address ?? '',
        prefix: made?.prefix ?? 0,
      };
    });
    this.#endpoints.attach(containerId, endpoints, this.#records.all());
    this.#records.recordUse(
      'connect',
      containerId,
      endpoints.map(({ networkId }) => networkId),
    );
  }

  #stored(containerId: string, containerName: string, connection: Connection): Endpoint[] {
    return Object.values(connection.endpoints).map((settings) => ({
      containerId,
      containerName,
      networkId: settings.NetworkID,
      endpointId: settings.EndpointID,
      mac: settings.MacAddress,
      address: settings.IPAddress,
      prefix: settings.IPPrefixLen,
    }));
  }

  /** Bridge, row and rules of a new network, or none of them. */
  async #open(record: NetworkRecord): Promise<void> {
    const { bridge } = record;
    if (bridge === undefined) return;
    try {
      await makeBridge(bridge);
      await allowForwarding(bridge.device);
      await nft(bridgesScript(this.#config.instance, bridgeRulesOf([...this.#records.all(), record])));
      this.#records.put(record);
    } catch (error) {
      await ipForce([`link del dev ${bridge.device}`]);
      throw error;
    }
  }

  async #removeOrphans(running: readonly RunningContainer[]): Promise<void> {
    await ipForce(await this.#orphanLines(running));
    // Only after a bridge was made anew do its containers hang in the air.
    const lines = running.flatMap(({ containerId }) =>
      this.#endpoints.of(containerId).flatMap(({ networkId, endpointId }) => {
        const device = this.#records.get(networkId)?.bridge?.device;
        return device === undefined
          ? []
          : [`link set dev ${this.#names.veth(endpointId)} master ${device} up`];
      }),
    );
    await ipForce(lines);
  }

  /** `ip` lines that remove namespaces and links of ours that none of the given containers uses. */
  async #orphanLines(running: readonly RunningContainer[]): Promise<string[]> {
    const paths = new Set(running.map(({ connection }) => connection.namespacePath.split('/').at(-1)));
    const bridges = new Set(this.#records.all().flatMap(({ bridge }) => bridge?.device ?? []));
    const veths = new Set(
      running.flatMap(({ containerId }) =>
        this.#endpoints.of(containerId).map(({ endpointId }) => this.#names.veth(endpointId)),
      ),
    );
    const [{ links }, namespaces] = await Promise.all([readHost(), listNamespaces()]);
    const deadLinks = links.filter(
      ({ ifname }) => this.#names.ownsLink(ifname) && !bridges.has(ifname) && !veths.has(ifname),
    );
    const deadSpaces = namespaces.filter((name) => this.#names.ownsNamespace(name) && !paths.has(name));
    return [
      ...deadLinks.map(({ ifname }) => `link del dev ${ifname}`),
      ...deadSpaces.map((name) => `netns del ${name}`),
    ];
  }

  /** dockerd or a firewall may have started since the last look. */
  #checkFirewall(): void {
    const everyMs = 10_000;
    if (!this.#isOpen || Date.now() - this.#firewallCheckedMs < everyMs) return;
    this.#firewallCheckedMs = Date.now();
    this.#firewall.open().catch((error: unknown) => {
      this.#warn("Cannot check the host's firewall", error);
    });
  }
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
  const isUserDefined = !builtinNames.includes(record.name);
  const aliases = settings.Aliases ?? null;
  const names = [request.containerName, request.containerId.slice(0, 12), ...(aliases ?? [])];
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
    DNSNames: isUserDefined ? [...new Set(names)] : null,
  };
}
