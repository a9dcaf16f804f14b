import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { allEnded } from '../lib/all-ended.ts';
import { removeDirectory } from '../lib/remove-directory.ts';
import { overwriteFile } from '../lib/replace-file.ts';
import {
  type Connection,
  hostnameFile,
  hostsFile,
  type Networks,
  readHostResolvConf,
  readPlainResolvConf,
  resolvConf,
  resolverAddress,
  withOwnAddress,
  withoutOwnAddress,
} from '../network/index.ts';
import type { Exit, OciRuntime } from '../runtime/index.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { Volumes } from '../volume/index.ts';
import { networkOwner, pidToJoin } from './dependencies.ts';
import { assertLinkable, linkedContainers, linkHosts } from './links.ts';
import { assertLogValues } from './logs/log-config.ts';
import { openMountSource } from './mount-source.ts';
import type { Container, ContainerMount, ContainerRecord } from './record.ts';
import { mountShm, sharedShm, unmountShm } from './shared-memory.ts';
import { type ContainerFiles, joinedContainer } from './spec/index.ts';
import type { Specs } from './specs.ts';
import type { ContainerStore } from './store.ts';

export interface LauncherDeps {
  readonly store: ContainerStore;
  readonly storage: {
    readonly snapshots: Pick<Snapshotter, 'mount' | 'unmount' | 'view'>;
    readonly volumes: Volumes;
    /** ROOT/containers. */
    readonly directory: string;
  };
  readonly networks: Networks;
  readonly runtime: OciRuntime;
  readonly specs: Specs;
}

export interface Launched {
  readonly pid: number;
  readonly connection: Connection | undefined;
}

/** Makes everything a run needs and takes it away again; knows nothing of states. */
export class Launcher {
  readonly #deps: LauncherDeps;
  /** Networks of runs whose row does not name them yet. */
  readonly #connections = new Map<string, Connection>();

  constructor(deps: LauncherDeps) {
    this.#deps = deps;
  }

  /** Root file system, network, volumes and files, then the runtime's create. `tearDown` undoes it, done or failed. */
  async launch({ record }: Container): Promise<Launched> {
    const { storage, runtime, specs } = this.#deps;
    const { id, config, hostConfig } = record;
    assertLogValues(record);
    assertLinkable(record, linkedContainers(record, this.#deps.store));
    // A container of --rm goes at the engine's next start.
    const rootfs = storage.snapshots.mount(id, { volatile: hostConfig.AutoRemove });
    const [connection, root] = await allEnded([this.#connect(record), rootfs]);
    // Until the runtime has bound them.
    await using parts = new AsyncDisposableStack();
    const [mounts, files] = await allEnded([this.#mounts(record, parts), this.#files(record, connection)]);
    const networkNamespace = connection?.namespacePath ?? this.#joinedNamespace(record);
    const bundle = join(storage.directory, id);
    const shmPath =
      hostConfig.IpcMode === 'shareable'
        ? await mountShm(bundle, hostConfig)
        : sharedShm(record, { store: this.#deps.store, directory: storage.directory });
    const spec = await specs.create(record, {
      rootfs: root,
      mounts,
      files,
      ...(networkNamespace === undefined ? {} : { networkNamespace }),
      ...(shmPath === undefined ? {} : { shmPath }),
    });
    const { pid } = await runtime.create({
      id,
      bundle,
      spec,
      terminal: config.Tty,
      stdin: config.OpenStdin,
      stdinOnce: config.StdinOnce,
      log: hostConfig.LogConfig.Type === 'none' ? {} : { path: join(bundle, 'container.log') },
    });
    return { pid, connection };
  }

  /** Safe to repeat, and after any part of `launch`. The runtime goes on to tell the exit `keep`. */
  async tearDown({ record, state }: Container, keep?: Exit): Promise<void> {
    const { storage, networks, runtime } = this.#deps;
    const { id } = record;
    const connection = state.connection ?? this.#connections.get(id);
    this.#connections.delete(id);
    const [deleted] = await Promise.allSettled([
      runtime.delete(id, { force: true, ...(keep === undefined ? {} : { keep }) }),
    ]);
    const rest = await Promise.allSettled([
      Promise.try(() => {
        if (record.hostConfig.IpcMode === 'shareable') unmountShm(join(storage.directory, id));
      }),
      connection === undefined ? undefined : networks.release(id, connection),
      storage.snapshots.unmount(id),
      ...record.mounts.map((mount) => this.#unmount(mount, id)),
    ]);
    for (const result of [deleted, ...rest]) if (result.status === 'rejected') throw result.reason;
  }

  async #connect(record: ContainerRecord): Promise<Connection | undefined> {
    const { hostConfig, config } = record;
    const mode = config.NetworkDisabled === true ? 'none' : hostConfig.NetworkMode;
    if (mode === 'host' || joinedContainer(mode) !== undefined) return undefined;
    const connected = await this.#deps.networks.connect({
      containerId: record.id,
      containerName: record.name.slice(1),
      networkMode: firstNetwork(mode, record),
      endpoints: record.endpoints,
      portBindings: portsOf(record),
      hostname: config.Hostname,
      dns: hostConfig.Dns ?? [],
    });
    // Off all networks it is not on `none` either, which would keep it from others.
    const connection = record.unconnected === true ? { ...connected, endpoints: {} } : connected;
    this.#connections.set(record.id, connection);
    return connection;
  }

  #joinedNamespace({ hostConfig }: ContainerRecord): string | undefined {
    const name = joinedContainer(hostConfig.NetworkMode);
    if (name === undefined) return undefined;
    return `/proc/${pidToJoin(name, this.#deps.store, 'network')}/ns/net`;
  }

  /** Volumes and images as host paths; those of images and of parts of volumes hold until `parts` is disposed. */
  async #mounts(record: ContainerRecord, parts: AsyncDisposableStack): Promise<ContainerMount[]> {
    const { volumes, snapshots } = this.#deps.storage;
    const context = { containerId: record.id, volumes, snapshots, parts };
    return allEnded(
      record.mounts.map(async (mount) => ({ ...mount, Source: await openMountSource(mount, context) })),
    );
  }

  async #unmount(mount: ContainerMount, id: string): Promise<void> {
    if (mount.Type === 'volume' && mount.Name !== undefined)
      await this.#deps.storage.volumes.unmount(mount.Name, id);
  }

  /** /etc/hosts, hostname and resolv.conf, written anew at each start; with `container:x` those of the other. */
  async #files(record: ContainerRecord, connection: Connection | undefined): Promise<ContainerFiles> {
    const { storage, networks, store } = this.#deps;
    const { config, hostConfig } = record;
    const owner = networkOwner(record, store);
    const directory = join(storage.directory, owner.id);
    const files = {
      resolvConf: join(directory, 'resolv.conf'),
      hostname: join(directory, 'hostname'),
      hosts: join(directory, 'hosts'),
    };
    if (owner.id !== record.id) return files;
    const addresses = connection === undefined ? [] : addressesOf(connection);
    const hosts = isOnHostNetwork(record)
      ? `${await readFile('/etc/hosts', 'utf8')}${extraHostLines(hostConfig.ExtraHosts, networks.gateway)}`
      : hostsFile({
          hostname: config.Hostname,
          domainname: config.Domainname,
          addresses,
          extraHosts: [...(hostConfig.ExtraHosts ?? []), ...linkHosts(linkedContainers(record, store))],
          gateway: networks.gateway,
        });
    const resolvers = await resolvConfOf(record, connection);
    writeFileSync(files.hosts, hosts);
    writeFileSync(files.hostname, hostnameFile(config.Hostname));
    writeFileSync(files.resolvConf, resolvers);
    return files;
  }

  /** After a network was joined or left: the container may have changed its files. May be repeated. */
  async updateFiles(record: ContainerRecord, before: Connection, after: Connection): Promise<void> {
    const directory = join(this.#deps.storage.directory, record.id);
    const hosts = join(directory, 'hosts');
    const { Hostname: hostname, Domainname: domainname } = record.config;
    let text = await readFile(hosts, 'utf8');
    const [old, now] = [addressesOf(before), addressesOf(after)];
    for (const address of old.filter((each) => !now.includes(each)))
      text = withoutOwnAddress(text, { hostname, address });
    for (const address of now.filter((each) => !old.includes(each)))
      text = withOwnAddress(withoutOwnAddress(text, { hostname, address }), {
        hostname,
        domainname,
        address,
      });
    // The container sees this very file.
    await overwriteFile(hosts, text);
    if (before.resolver === undefined && after.resolver !== undefined)
      await overwriteFile(join(directory, 'resolv.conf'), await resolvConfOf(record, after));
  }

  /** The directory of a new container's files. */
  async makeDirectory(id: string): Promise<void> {
    mkdirSync(join(this.#deps.storage.directory, id), { recursive: true, mode: 0o710 });
  }

  async removeDirectory(id: string): Promise<void> {
    await removeDirectory(join(this.#deps.storage.directory, id));
  }
}

function addressesOf({ endpoints }: Connection): string[] {
  return Object.values(endpoints).flatMap(({ IPAddress }) => IPAddress || []);
}

function isOnHostNetwork({ hostConfig }: ContainerRecord): boolean {
  return hostConfig.NetworkMode === 'host';
}

async function resolvConfOf(record: ContainerRecord, connection: Connection | undefined): Promise<string> {
  const { hostConfig } = record;
  const onHostNetwork = isOnHostNetwork(record);
  return resolvConf(onHostNetwork ? await readPlainResolvConf() : await readHostResolvConf(), {
    onHostNetwork,
    dns: hostConfig.Dns ?? [],
    search: hostConfig.DnsSearch ?? [],
    options: hostConfig.DnsOptions ?? [],
    ...(connection?.resolver === undefined ? {} : { resolver: resolverAddress }),
  });
}

/** The network that ports are published on: the mode's, unless the container was taken off it. */
function firstNetwork(mode: string, { endpoints, unconnected }: ContainerRecord): string {
  if (unconnected === true) return 'none';
  const names = Object.keys(endpoints);
  const [first = mode] = names;
  return mode === 'none' || mode === 'default' || names.includes(mode) ? mode : first;
}

/** Ports to publish; with -P also each exposed one, on a port of our choice. */
export function portsOf({
  config,
  hostConfig,
}: ContainerRecord): ContainerRecord['hostConfig']['PortBindings'] {
  if (!hostConfig.PublishAllPorts) return hostConfig.PortBindings;
  const exposed = Object.keys(config.ExposedPorts ?? {}).map(
    (port) => [port, [{ HostIp: '', HostPort: '' }]] as const,
  );
  return { ...Object.fromEntries(exposed), ...hostConfig.PortBindings };
}

function extraHostLines(extraHosts: readonly string[] | null, gateway: string): string {
  const lines = hostsFile({ hostname: '', addresses: [], extraHosts: extraHosts ?? [], gateway }).split('\n');
  return lines.slice(1).join('\n');
}
