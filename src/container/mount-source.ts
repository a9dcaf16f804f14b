import { readlinkSync } from 'node:fs';
import { openSubpath } from '../lib/open-subpath.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { Volumes } from '../volume/index.ts';
import { makeSource } from './mount-points.ts';
import type { ContainerMount, MountedImage } from './record.ts';

export interface MountSourceContext {
  readonly containerId: string;
  readonly volumes: Volumes;
  readonly snapshots: Pick<Snapshotter, 'view'>;
  /** Holds images and parts of volumes until it is disposed. */
  readonly parts: AsyncDisposableStack;
}

/** Makes ready where on the host a mount is to be bound from. A volume is mounted: to unmount it is the caller's. */
export async function openMountSource(mount: ContainerMount, context: MountSourceContext): Promise<string> {
  const { Type, Name, Source, Destination, RW, Propagation, subpath, image } = mount;
  const { containerId, volumes, parts } = context;
  await makeSource(mount);
  if (image !== undefined) return openImage(image, subpath, context);
  if (Type !== 'volume' || Name === undefined) return Source;
  const at = { destination: Destination, writable: RW, propagation: Propagation };
  const path = await volumes.mount(Name, containerId, at);
  return subpath === undefined ? path : parts.use(await volumes.openPart(Name, subpath)).path;
}

/** Nobody writes to an image: a path in it stays what it was found to be. */
async function openImage(
  { chainId }: MountedImage,
  subpath: string | undefined,
  { snapshots, parts }: MountSourceContext,
): Promise<string> {
  const { root } = parts.use(await snapshots.view(chainId));
  if (subpath === undefined) return root;
  using file = openSubpath(root, subpath, 'image');
  return readlinkSync(file.path);
}
