import type { Volumes } from '../volume/index.ts';
import { makeSource } from './mount-points.ts';
import type { ContainerMount } from './record.ts';

export interface MountSourceContext {
  readonly containerId: string;
  readonly volumes: Volumes;
  /** Holds the part of a volume until it is disposed. */
  readonly parts: { use<T extends Disposable>(part: T): T };
}

/** Makes ready where on the host a mount is to be bound from. A volume is mounted: to unmount it is the caller's. */
export async function openMountSource(
  mount: ContainerMount,
  { containerId, volumes, parts }: MountSourceContext,
): Promise<string> {
  const { Type, Name, Source, Destination, RW, Propagation, subpath } = mount;
  await makeSource(mount);
  if (Type !== 'volume' || Name === undefined) return Source;
  const at = { destination: Destination, writable: RW, propagation: Propagation };
  const path = await volumes.mount(Name, containerId, at);
  return subpath === undefined ? path : parts.use(await volumes.openPart(Name, subpath)).path;
}
