import type { EndpointSettings, NetworkInspect } from '../api/index.ts';
import { EngineError, isCode } from '../errors/index.ts';
import { askedSettings, type Connection, type LeaveRequest, type Networks } from '../network/index.ts';
import { type Launcher, portsOf } from './launch.ts';
import type { Container } from './record.ts';
import { joinedContainer } from './spec/index.ts';
import type { ContainerStore } from './store.ts';
import { endpointsView } from './views.ts';

export interface MembershipDeps {
  readonly store: ContainerStore;
  readonly networks: Networks;
  readonly launcher: Launcher;
}

type Endpoints = Readonly<Record<string, Partial<EndpointSettings>>>;

/** Puts a container onto one more network: at once if it runs, else from its next start on. The caller holds its lock. */
export async function joinNetwork(
  container: Container,
  network: string,
  { settings: given, ...deps }: MembershipDeps & { readonly settings: Partial<EndpointSettings> },
): Promise<void> {
  const settings = askedSettings(given);
  const { Name } = deps.networks.inspect(network);
  assertChangeable(container);
  const asked = askedEndpoints(container);
  if (!container.state.running) {
    deps.networks.assertJoinable({ network: Name, settings }, Object.keys(asked));
    // To join again changes nothing.
    if (Name in asked) return;
  }
  const request = { ...requestOf(container, Name), settings };
  await change(container, {
    endpoints: { ...asked, [Name]: settings },
    deps,
    live: (connection) => deps.networks.join(request, connection),
  });
}

/**
 * Takes a container off a network. The caller holds its lock. One that does not run, or any by force, leaves also a
 * network that is gone.
 */
export async function leaveNetwork(
  container: Container,
  network: string,
  { force, ...deps }: MembershipDeps & { readonly force: boolean },
): Promise<void> {
  const found = findNetwork(network, deps, force || !container.state.running);
  assertChangeable(container);
  const name = found?.Name ?? network;
  const { [name]: left, ...endpoints } = askedEndpoints(container);
  if (left === undefined) {
    throw new EngineError(
      'forbidden',
      `container ${container.record.id} is not connected to the network ${name}`,
    );
  }
  await change(container, {
    endpoints,
    deps,
    live: (connection) => deps.networks.leave(requestOf(container, name), connection),
  });
}

function findNetwork(
  network: string,
  { networks }: MembershipDeps,
  mayBeGone: boolean,
): NetworkInspect | undefined {
  try {
    return networks.inspect(network);
  } catch (error) {
    if (mayBeGone && isCode(error, 'notFound')) return undefined;
    throw error;
  }
}

async function change(
  { record, state }: Container,
  options: {
    readonly endpoints: Endpoints;
    readonly deps: MembershipDeps;
    readonly live: (connection: Connection) => Promise<Connection>;
  },
): Promise<void> {
  const { endpoints, deps, live } = options;
  const asked = { endpoints, unconnected: Object.keys(endpoints).length === 0 };
  if (!state.running || state.connection === undefined) {
    deps.store.save({ record: { ...record, ...asked }, state });
    return;
  }
  const before = state.filesOf ?? state.connection;
  const connection = await live(state.connection);
  // Its name or health may have changed meanwhile.
  const now = deps.store.current(record.id);
  const joined = {
    record: { ...now.record, ...asked },
    state: { ...now.state, connection, filesOf: before },
  };
  await mendFiles(deps.store.save(joined), deps);
}

/** Brings the files of a running container in line with the networks it has joined or left. */
export async function mendFiles(
  { record, state: { connection, filesOf } }: Container,
  { store, launcher }: Pick<MembershipDeps, 'store' | 'launcher'>,
): Promise<void> {
  if (connection === undefined || filesOf === undefined) return;
  await launcher.updateFiles(record, filesOf, connection);
  store.transition(record.id, ({ filesOf: _done, ...rest }) => rest);
}

function requestOf({ record }: Container, network: string): LeaveRequest {
  return {
    containerId: record.id,
    containerName: record.name.slice(1),
    network,
    hostname: record.config.Hostname,
    dns: record.hostConfig.Dns ?? [],
    portBindings: portsOf(record),
  };
}

/** What the container is to have when it starts the next time, by network name. */
function askedEndpoints(container: Container): Endpoints {
  const { record, state } = container;
  if (state.connection === undefined) return endpointsView(container);
  return Object.fromEntries(
    Object.entries(state.connection.endpoints).map(([name, { NetworkID }]) => [
      name,
      record.endpoints[name] ?? record.endpoints[NetworkID] ?? {},
    ]),
  );
}

function assertChangeable({ record, state }: Container): void {
  const mode = record.hostConfig.NetworkMode;
  if (state.removing || state.dead) {
    throw new EngineError(
      'conflict',
      `container ${record.id} is marked for removal and cannot be connected or disconnected to the network`,
    );
  }
  if (mode === 'host' || joinedContainer(mode) !== undefined) {
    throw new EngineError(
      'conflict',
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  }
}
