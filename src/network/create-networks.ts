import type { Filters, NetworkCreateRequest, NetworkInspect } from '../api/index.ts';
import type { EngineConfig } from '../config/index.ts';
import { EngineError, isCode } from '../errors/index.ts';
import { OnePrune } from '../lib/one-prune.ts';
import type { Metadata } from '../metadata/index.ts';
import { Attachments } from './attachments.ts';
import {
  bridgeNames,
  ensureBridges,
  ensureBuiltins,
  makeBridge,
  removeBridgeLine,
  subnetChoice,
  withSubnetLock,
} from './bridges.ts';
import { checkCreateRequest, recordOf } from './create-request.ts';
import { Resolvers } from './dns/resolvers.ts';
import { storedEndpoints } from './endpoint-settings.ts';
import { Endpoints } from './endpoints.ts';
import { type HostFirewall, hostFirewall } from './host-firewall.ts';
import { HostPorts } from './host-ports.ts';
import { inspectOf, matches } from './inspect.ts';
import { assertJoinable } from './joinable.ts';
import { allowForwarding, ipForce, type KernelNames, kernelNames, listLinks, readHost } from './kernel.ts';
import { LiveMemberships } from './live.ts';
import type {
  Connection,
  ConnectRequest,
  Holding,
  JoinRequest,
  LeaveRequest,
  Networks,
  RenameRequest,
  RepublishRequest,
  RunningContainer,
} from './networks.ts';
import { orphanLines, pluggingLines } from './orphans.ts';
import { Publisher } from './publisher.ts';
import { builtinNames, type NetworkRecord, NetworkRecords } from './records.ts';
import { RuleTable } from './rule-table.ts';
import { tableOf } from './rules.ts';
import { Sandboxes } from './sandbox.ts';

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
  readonly #table: RuleTable;
  readonly #publisher: Publisher;
  readonly #resolvers: Resolvers;
  readonly #attachments: Attachments;
  readonly #live: LiveMemberships;
  readonly #firewall: HostFirewall;
  readonly #warn: (message: string, error: unknown) => void;
  readonly #onePrune = new OnePrune();
  #firewallCheckedMs = 0;
  #isOpen = false;

  constructor({ config, metadata, poolSize = 8, onWarning = () => undefined }: NetworksOptions) {
    this.#config = config;
    this.#records = new NetworkRecords(metadata);
    ensureBuiltins(this.#records);
    this.#names = kernelNames(config.instance);
    this.#sandboxes = new Sandboxes(this.#names);
    this.#firewall = hostFirewall({
      owner: tableOf(config.instance),
      patterns: () => this.#bridgePatterns(),
      onWarning,
    });
    this.#warn = onWarning;
    this.#resolvers = new Resolvers({ records: this.#records, endpoints: this.#endpoints });
    this.#table = new RuleTable({
      instance: config.instance,
      records: this.#records,
      ports: this.#ports,
      onWarning,
    });
    const publisher = new Publisher({ records: this.#records, ports: this.#ports, table: this.#table });
    this.#publisher = publisher;
    const state = {
      records: this.#records,
      endpoints: this.#endpoints,
      sandboxes: this.#sandboxes,
      resolvers: this.#resolvers,
    };
    this.#attachments = new Attachments({
      publisher,
      state,
      poolSize,
      onWarning,
      onRefill: () => {
        this.#checkFirewall();
      },
    });
    this.#live = new LiveMemberships({
      state,
      publisher,
      makeRoom: async (record, settings) => this.#attachments.makeRoom(record, settings),
    });
  }

  get gateway(): string {
    return this.#default().bridge?.gateway ?? '';
  }

  async recover(running: readonly RunningContainer[], held: readonly Holding[] = []): Promise<void> {
    const config = this.#config;
    const names = this.#names;
    for (const { containerId, containerName = '', connection } of running) {
      const endpoints = storedEndpoints(containerId, containerName, connection);
      this.#endpoints.attach(containerId, endpoints, []);
      for (const { endpointId } of endpoints) this.#sandboxes.adoptEndpoint(endpointId);
    }
    const inUse = new Set(
      this.#records.all().flatMap(({ id }) => (this.#endpoints.on(id).length > 0 ? [id] : [])),
    );
    await withSubnetLock(config, async () =>
      ensureBridges({ config, names, records: this.#records, inUse, onWarning: this.#warn }),
    );
    const records = this.#records.all();
    for (const { containerId, connection } of running) {
      const endpoints = this.#endpoints.of(containerId);
      this.#endpoints.attach(containerId, endpoints, records);
      const address = Object.values(connection.endpoints).find(({ Gateway }) => Gateway !== '')?.IPAddress;
      if (address !== undefined) await this.#ports.adopt(containerId, address, connection.ports);
    }
    for (const holding of held) this.hold(holding);
    const kept = { names, records: this.#records, endpoints: this.#endpoints, running };
    await ipForce(await orphanLines(kept));
    await ipForce(pluggingLines(kept));
    await this.#restoreInterfaces(running);
    await this.#table.renew();
    await Promise.all([this.#openFirewall(), this.#reopenResolvers(running)]);
    this.#isOpen = true;
    void this.#attachments.fill();
  }

  async connect(request: ConnectRequest, signal?: AbortSignal): Promise<Connection> {
    return this.#attachments.connect(request, signal);
  }

  async release(containerId: string, connection: Connection): Promise<void> {
    await this.#attachments.release(containerId, connection);
  }

  hold({ containerId, addresses }: Holding): void {
    this.#endpoints.hold(containerId, addresses);
  }

  letGo(containerId: string): void {
    this.#endpoints.letGo(containerId);
  }

  async probePorts(request: Pick<ConnectRequest, 'containerId' | 'portBindings'>): Promise<void> {
    const endpoint = this.#endpoints.of(request.containerId).find(({ address }) => address !== '');
    await this.#publisher.probe(request, endpoint);
  }

  async join(request: JoinRequest, connection: Connection): Promise<Connection> {
    return this.#live.join(request, connection);
  }

  assertJoinable(request: Pick<JoinRequest, 'network' | 'settings'>, joined: readonly string[]): void {
    assertJoinable(this.#records.find(request.network), request.settings, joined);
  }

  async leave(request: LeaveRequest, connection: Connection): Promise<Connection> {
    return this.#live.leave(request, connection);
  }

  rename(request: RenameRequest, connection: Connection): Connection {
    return this.#live.rename(request, connection);
  }

  async republish(request: RepublishRequest, connection: Connection): Promise<Connection> {
    return this.#live.republish(request, connection);
  }

  inspect(nameOrId: string): NetworkInspect {
    return this.#show(this.#records.find(nameOrId));
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
      const known = { names: this.#names, host: await readHost(), records: this.#records.all() };
      if (this.#records.byName(name) !== undefined) {
        throw new EngineError('conflict', `network with name ${name} already exists`);
      }
      const made = recordOf(request, subnetChoice(known), bridgeNames(known));
      await this.#open(made);
      await this.#passFirewall(made);
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
    const coming = this.#endpoints.comingTo(record.id);
    if (used.length + coming.length > 0) {
      const list = [
        ...used.map((e) => `name:"${e.containerName}" id:"${e.endpointId.slice(0, 12)}"`),
        ...coming.map((id) => `id:"${id.slice(0, 12)}"`),
      ].join(', ');
      throw new EngineError(
        'forbidden',
        `error while removing network: network ${record.name} has active endpoints (${list})`,
      );
    }
    this.#records.delete(record);
    this.#endpoints.forget(record.id);
    try {
      await this.#table.renewBridges();
    } finally {
      await ipForce(this.#removalLines([record]));
      await this.#passFirewall(record);
    }
  }

  async prune(filters: Filters): Promise<{ readonly NetworksDeleted: readonly string[] }> {
    return this.#onePrune.run(async () => {
      const NetworksDeleted: string[] = [];
      for (const record of this.#records.all()) {
        if (builtinNames.includes(record.name) || this.#isUsed(record)) continue;
        if (!matches(record, filters, false)) continue;
        if (await this.#pruneOne(record)) NetworksDeleted.push(record.name);
      }
      this.#records.recordPrune();
      return { NetworksDeleted };
    });
  }

  async #pruneOne({ id, name }: NetworkRecord): Promise<boolean> {
    try {
      await this.remove(id);
      return true;
    } catch (error) {
      // Joined, or removed by someone else, since it was picked.
      if (!isCode(error, 'forbidden') && !isCode(error, 'notFound'))
        this.#warn(`Cannot prune network ${name}`, error);
      return false;
    }
  }

  async shutdown({ keep }: { readonly keep: boolean }): Promise<void> {
    await this.#attachments.close();
    await this.#sandboxes.idle();
    this.#ports[Symbol.dispose]();
    this.#resolvers[Symbol.dispose]();
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const records = this.#records.all();
    const isUsed = (record: NetworkRecord) => this.#endpoints.on(record.id).length > 0;
    const closing = records.filter((record) => !keep || !isUsed(record));
    const lines = this.#removalLines(closing);
    if (!keep || !records.some((record) => record.bridge !== undefined && isUsed(record))) {
      await this.#firewall.close();
      await this.#table.remove();
    }
    if (!keep) {
      const kept = { names: this.#names, records: this.#records, endpoints: this.#endpoints, running: [] };
      lines.unshift(...(await orphanLines(kept)));
    }
    await ipForce(lines);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown({ keep: true });
  }

  /** By a container that runs, or that is about to. */
  #isUsed({ id }: NetworkRecord): boolean {
    return this.#endpoints.on(id).length + this.#endpoints.comingTo(id).length > 0;
  }

  #default(): NetworkRecord {
    return this.#records.find('bridge');
  }

  #show(record: NetworkRecord): NetworkInspect {
    return inspectOf(record, this.#endpoints.on(record.id));
  }

  /** Bridge, row and rules of a new network, or none of them. */
  async #open(record: NetworkRecord): Promise<void> {
    const { bridge } = record;
    if (bridge === undefined) return;
    const network = { id: record.id, bridge };
    await makeBridge(this.#names, network);
    using _opening = this.#table.opening(record);
    try {
      await allowForwarding(bridge.device);
      await this.#table.renewBridges();
      this.#records.put(record);
    } catch (error) {
      await ipForce([removeBridgeLine(this.#names, network)]);
      throw error;
    }
  }

  #removalLines(records: readonly NetworkRecord[]): string[] {
    return records.flatMap(({ id, bridge }) =>
      bridge === undefined ? [] : [removeBridgeLine(this.#names, { id, bridge })],
    );
  }

  /** Containers that outlived an engine ask for names where its resolvers were. */
  async #reopenResolvers(running: readonly RunningContainer[]): Promise<void> {
    await Promise.all(
      running.map(async ({ containerId, connection: { namespacePath, resolver } }) => {
        if (resolver === undefined) return;
        try {
          await this.#resolvers.open({ containerId, namespacePath, ...resolver });
        } catch (error) {
          this.#warn(`Cannot answer the name queries of container ${containerId}`, error);
        }
      }),
    );
  }

  /** A disconnect that was cut off took an interface that the container's row names. */
  async #restoreInterfaces(running: readonly RunningContainer[]): Promise<void> {
    const links = new Set(await listLinks());
    for (const { containerId, connection } of running) {
      const lost = Object.values(connection.endpoints).filter(
        ({ EndpointID, IPAddress }) => IPAddress !== '' && !links.has(this.#names.veth(EndpointID)),
      );
      try {
        await this.#live.restore(connection, lost);
      } catch (error) {
        this.#warn(`Cannot bring container ${containerId} back onto its networks`, error);
      }
    }
  }

  /** The bridges that other people's firewalls must let pass; `*` is for any characters. */
  #bridgePatterns(): string[] {
    const devices = this.#records.up().flatMap(({ bridge }) => bridge?.device ?? []);
    return [`${this.#names.bridge}*`, ...devices.filter((device) => !this.#names.ownsLink(device))];
  }

  /** A bridge with a name of the user's came or went. */
  async #passFirewall({ bridge }: NetworkRecord): Promise<void> {
    if (bridge !== undefined && !this.#names.ownsLink(bridge.device)) await this.#openFirewall();
  }

  /** dockerd or a firewall may have started since the last look. */
  #checkFirewall(): void {
    const everyMs = 10_000;
    if (!this.#isOpen || Date.now() - this.#firewallCheckedMs < everyMs) return;
    void this.#openFirewall();
  }

  async #openFirewall(): Promise<void> {
    this.#firewallCheckedMs = Date.now();
    try {
      await this.#firewall.open();
    } catch (error) {
      this.#warn("Cannot change the host's firewall", error);
    }
  }
}
