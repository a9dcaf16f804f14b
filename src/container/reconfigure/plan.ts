import type { ReconfigureChange, ReconfigureRequest } from '../../api/index.ts';
import { assertConfig, assertMounts, assertNetworking } from '../create/index.ts';
import type { HostFacts } from '../host-facts.ts';
import { portsOf } from '../launch.ts';
import type { MountsRequest } from '../mount-points.ts';
import type { Container, ContainerRecord } from '../record.ts';
import { changesOf, needsRestart } from './changes.ts';
import { changedWishes, destinationOf, destinationOfBind, mountTable, type Wishes } from './settings.ts';

/** What a reconfiguration comes to. Nothing of it is done yet. */
export interface ReconfigurePlan {
  readonly wishes: Wishes;
  readonly changes: readonly ReconfigureChange[];
  /** Mounts that have to be made first. */
  readonly newMounts: MountsRequest;
  /** Container ports that are published in another way. */
  readonly changedPorts: readonly string[];
  /** The container runs and has to be stopped. */
  readonly restarts: boolean;
  readonly warnings: readonly string[];
}

export interface PlanContext {
  /** What the container's image exposes. */
  readonly imagePorts: readonly string[];
  readonly host: Pick<HostFacts, 'recursiveReadOnly'>;
}

/** Pure. Throws `invalidArgument` with Docker's texts, as creating the container with these settings would. */
export function planReconfiguration(
  { record, state }: Container,
  request: ReconfigureRequest,
  { imagePorts, host }: PlanContext,
): ReconfigurePlan {
  const { Binds = [], Mounts = [] } = request;
  assertMounts({ ...record.hostConfig, Binds, Mounts, Tmpfs: {} }, host);
  const wishes = changedWishes(record, request, imagePorts);
  const { config, hostConfig } = wishes;
  assertConfig(config);
  assertNetworking({}, hostConfig);
  assertMounts(hostConfig, host);
  const changes = changesOf(record, wishes);
  const isHost = hostConfig.NetworkMode === 'host' && Object.keys(request.PortBindings ?? {}).length > 0;
  return {
    wishes,
    changes,
    newMounts: newMounts(record.id, wishes, changes),
    changedPorts: changedPorts(record, { ...record, ...wishes }),
    restarts: state.running && needsRestart(changes),
    warnings: isHost ? ['Published ports are discarded when using host network mode'] : [],
  };
}

/** The mounts that stay as they are: neither changed nor hidden by one that is new. */
export function keptMounts(
  { mounts }: ContainerRecord,
  { changes }: ReconfigurePlan,
): ContainerRecord['mounts'] {
  const paths = mountPaths(changes);
  return mounts.filter(({ Destination }) => !paths.has(destinationOf(Destination)));
}

function newMounts(
  containerId: string,
  wishes: Wishes,
  changes: readonly ReconfigureChange[],
): MountsRequest {
  const { config, hostConfig } = wishes;
  const paths = mountPaths(changes);
  const binds = (hostConfig.Binds ?? []).filter((bind) => paths.has(destinationOfBind(bind)));
  const specs = (hostConfig.Mounts ?? []).filter(({ Target }) => paths.has(destinationOf(Target)));
  const table = mountTable({ config: { ...config, Volumes: null }, hostConfig });
  const volumes = Object.keys(config.Volumes ?? {}).map(destinationOf);
  return {
    containerId,
    binds,
    specs,
    paths: volumes.filter((path) => paths.has(path) && !table.has(path)),
    driver: hostConfig.VolumeDriver,
  };
}

function mountPaths(changes: readonly ReconfigureChange[]): ReadonlySet<string> {
  return new Set(changes.flatMap(({ Kind, Name }) => (Kind === 'mount' ? [Name] : [])));
}

/** Those of --publish-all too. */
function changedPorts(before: ContainerRecord, after: ContainerRecord): string[] {
  const [old, now] = [portsOf(before), portsOf(after)];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].filter(
    (port) => JSON.stringify(old[port]) !== JSON.stringify(now[port]),
  );
}
