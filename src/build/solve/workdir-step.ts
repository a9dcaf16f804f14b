import { byteString } from '../../lib/tar/index.ts';
import type { ChainId } from '../../oci/index.ts';
import { DirectoryTree } from '../context/directory-tree.ts';
import { Destination } from '../copy/destination.ts';
import { layerTar } from '../copy/layer-tar.ts';
import { type BuildContext, nowMs } from './build-context.ts';
import { type NewLayer, storeLayer } from './store-layer.ts';

/** Makes sure that a directory is in the image: a layer if it is not, else nothing. */
export async function makeWorkdir(
  context: BuildContext,
  path: string,
  parent: ChainId | undefined,
): Promise<NewLayer | undefined> {
  const { stores, lease, signal } = context;
  await using view = parent === undefined ? undefined : await stores.snapshots.view(parent, signal);
  const destination = new Destination(view === undefined ? undefined : new DirectoryTree(view.root));
  const real = await destination.resolve(byteString(path));
  if (await destination.isDirectory(real)) return undefined;
  const mtimeNs = BigInt(Math.floor(nowMs(context) / 1000)) * 1_000_000_000n;
  const entries = await destination.directory(real, { mode: 0o755, owner: { uid: 0, gid: 0 }, mtimeNs });
  return await storeLayer(stores, layerTar(entries), { parent, lease, signal });
}
