import type { HostConfig, Resources, RestartPolicy } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import type { OciRuntime } from '../runtime/index.ts';
import { assertResources, assertRestartPolicy, dropUnsupportedChange } from './create/index.ts';
import type { HostFacts } from './host-facts.ts';
import type { Container } from './record.ts';
import { createResources } from './spec/index.ts';
import type { ContainerStore } from './store.ts';

/** What `docker update` may change of a container that exists, where 0 and '' leave it as it is. */
const changeable = [
  'BlkioWeight',
  'CpuPeriod',
  'CpuQuota',
  'CpuRealtimePeriod',
  'CpuRealtimeRuntime',
  'CpuShares',
  'CpusetCpus',
  'CpusetMems',
  'Memory',
  'MemoryReservation',
  'MemorySwap',
  'NanoCpus',
] as const satisfies readonly (keyof Resources)[];

export interface UpdateDeps {
  readonly store: ContainerStore;
  readonly runtime: OciRuntime;
  readonly host: HostFacts;
}

/** Changes limits, of a running container at once, and the restart policy. The caller holds its lock. */
export async function updateContainer(
  { record, state }: Container,
  wanted: Partial<HostConfig>,
  { store, runtime, host }: UpdateDeps,
): Promise<{ readonly Warnings: readonly string[] }> {
  const { change, warnings: Warnings } = dropUnsupportedChange(wanted, host);
  const limits = changedLimits(change);
  const restart = changedPolicy(change.RestartPolicy);
  if (restart !== undefined) assertRestartPolicy(restart);
  const conflict = conflictOf(record.hostConfig, { ...limits, restart });
  if (conflict !== undefined) {
    throw new EngineError('conflict', `Cannot update container ${record.id}: ${conflict}`);
  }
  const hostConfig: HostConfig = {
    ...record.hostConfig,
    ...limits,
    ...(restart === undefined ? {} : { RestartPolicy: restart }),
  };
  assertResources(hostConfig, host);
  const live = state.running && !state.restarting && Object.keys(limits).length > 0;
  const changed = { ...record, hostConfig };
  if (!live) {
    store.save({ record: changed, state }, { action: 'update' });
    return { Warnings };
  }
  // The record first, so that a start of the engine can finish an update that was cut off.
  const updating = store.save({ record: changed, state: { ...state, updating: true } });
  try {
    await applyLimits(updating, { store, runtime });
  } catch (error) {
    const now = store.current(record.id);
    store.save({ ...now, record: { ...now.record, hostConfig: record.hostConfig } });
    throw error;
  }
  store.note(store.current(record.id), { action: 'update' });
  return { Warnings };
}

type Change = Partial<Resources> & { readonly restart?: RestartPolicy | undefined };

/** What of a change does not go with what the container has, in Docker's words. [moby daemon/container/container_unix.go] */
export function conflictOf(
  before: Pick<HostConfig, 'NanoCpus' | 'CpuPeriod' | 'CpuQuota' | 'MemorySwap' | 'AutoRemove'>,
  { NanoCpus = 0, CpuPeriod = 0, CpuQuota = 0, Memory = 0, MemorySwap = 0, restart }: Change,
): string | undefined {
  if (NanoCpus > 0 && before.CpuPeriod > 0) return cpuConflict('Nano CPUs', 'CPU Period');
  if (NanoCpus > 0 && before.CpuQuota > 0) return cpuConflict('Nano CPUs', 'CPU Quota');
  if (CpuPeriod > 0 && before.NanoCpus > 0) return cpuConflict('CPU Period', 'NanoCPUs');
  if (CpuQuota > 0 && before.NanoCpus > 0) return cpuConflict('CPU Quota', 'NanoCPUs');
  if (Memory > Math.max(before.MemorySwap, 0) && MemorySwap === 0) {
    return 'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time';
  }
  if (before.AutoRemove && restart !== undefined && restart.Name !== 'no') {
    return 'Restart policy cannot be updated because AutoRemove is enabled for the container';
  }
  return undefined;
}

function cpuConflict(wanted: string, has: string): string {
  return `Conflicting options: ${wanted} cannot be updated as ${has} has already been set`;
}

/** Gives a running container the limits of its record. */
export async function applyLimits(
  { record }: Container,
  { store, runtime }: Pick<UpdateDeps, 'store' | 'runtime'>,
): Promise<void> {
  try {
    await runtime.update(record.id, createResources(record.hostConfig));
  } finally {
    store.transition(record.id, ({ updating: _done, ...rest }) => rest);
  }
}

function changedLimits({ PidsLimit, ...change }: Partial<HostConfig>): Partial<Resources> {
  const set = changeable.flatMap((key) => (change[key] ? [[key, change[key]] as const] : []));
  return {
    ...Object.fromEntries(set),
    // 0 and every negative number take the limit away.
    ...(PidsLimit === undefined || PidsLimit === null ? {} : { PidsLimit: Math.max(PidsLimit, 0) }),
  };
}

function changedPolicy(policy: RestartPolicy | undefined): RestartPolicy | undefined {
  return policy === undefined || (policy.Name as string) === '' ? undefined : policy;
}
