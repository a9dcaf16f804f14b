import type { EndpointSettings, NetworkInspect } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import type { Container } from './record.ts';
import { joinedContainer } from './spec/index.ts';
import type { ContainerStore } from './store.ts';
import { endpointsView } from './views.ts';

/** Puts a container that does not run onto one more network from its next start on. The caller holds its lock. */
export function joinNetwork(
  container: Container,
  { Name }: NetworkInspect,
  { settings, store }: { readonly settings: Partial<EndpointSettings>; readonly store: ContainerStore },
): void {
  assertChangeable(container);
  save(container, { ...endpointsView(container), [Name]: settings }, store);
}

/** Takes a container that does not run off a network. The caller holds its lock. */
export function leaveNetwork(container: Container, { Name }: NetworkInspect, store: ContainerStore): void {
  assertChangeable(container);
  const { [Name]: left, ...others } = endpointsView(container);
  if (left === undefined) {
    throw new EngineError(
      'forbidden',
      `container ${container.record.id} is not connected to the network ${Name}`,
    );
  }
  save(container, others, store);
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
  if (state.running) {
    throw new EngineError(
      'notImplemented',
      `Cannot change the networks of container ${record.name.slice(1)} while it runs: not supported by this engine yet`,
    );
  }
}

function save(
  { record, state }: Container,
  endpoints: Readonly<Record<string, Partial<EndpointSettings>>>,
  store: ContainerStore,
): void {
  store.save({ record: { ...record, endpoints }, state });
}
