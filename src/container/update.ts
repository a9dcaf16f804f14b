import type { HostConfig, Resources, RestartPolicy } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import type { OciRuntime } from '../runtime/index.ts';
import { assertResources, assertRestartPolicy } from './create/index.ts';
import type { HostFacts } from './host-facts.ts';
import type { Container } from './record.ts';
import { createResources } from './spec/index.ts';
import type { ContainerStore } from './store.ts';

/** What `docker update` may change of a container that exists. */
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
  'PidsLimit',
] as const satisfies readonly (keyof Resources)[];

export interface UpdateDeps {
  readonly store: ContainerStore;
  readonly runtime: OciRuntime;
  readonly host: HostFacts;
}

/** Changes limits, of a running container at once, and the restart policy. The caller holds its lock. */
export async function updateContainer(
  { record, state }: Container,
  change: Partial<HostConfig>,
  { store, runtime, host }: UpdateDeps,
): Promise<{ readonly Warnings: readonly string[] }> {
  const limits = Object.fromEntries(changeable.flatMap((key) => (change[key] ? [[key, change[key]]] : [])));
  const restart = changedPolicy(change.RestartPolicy);
  if (restart !== undefined) assertRestartPolicy(restart);
  if (restart !== undefined && record.hostConfig.AutoRemove && restart.Name !== 'no') {
    throw new EngineError(
      'invalidArgument',
      'Restart policy cannot be updated because AutoRemove is enabled for the container',
    );
  }
  const hostConfig: HostConfig = {
    ...record.hostConfig,
    ...limits,
    ...(restart === undefined ? {} : { RestartPolicy: restart }),
  };
  assertResources(hostConfig, host);
  if (state.running && !state.restarting && Object.keys(limits).length > 0) {
    await runtime.update(record.id, createResources(hostConfig));
  }
  store.save({ record: { ...record, hostConfig }, state }, { action: 'update' });
  return { Warnings: [] };
}

function changedPolicy(policy: RestartPolicy | undefined): RestartPolicy | undefined {
  return policy === undefined || (policy.Name as string) === '' ? undefined : policy;
}
