import type { DiffSide, ImageDiff } from '../api/index.ts';
import type { Containers } from '../container/index.ts';
import { EngineError, isCode } from '../errors/index.ts';
import { countsOf, type Images, storeChange } from '../image/index.ts';
import { initLayerPaths, type Snapshotter } from '../snapshot/index.ts';

export interface ImageDiffParts {
  readonly images: Images;
  readonly containers: Containers;
  readonly snapshots: Snapshotter;
}

interface Side extends AsyncDisposable {
  readonly side: DiffSide;
  /** `undefined` for an image without layers. */
  readonly root: string | undefined;
}

/**
 * What differs between the file trees of two images or containers, times left out, and
 * what the engine puts into every container. A name that is both is the
 * image's. Throws `notFound` "No such image or container: X".
 */
export async function diffImages(
  parts: ImageDiffParts,
  { from, to }: { readonly from: string; readonly to: string },
  signal?: AbortSignal,
): Promise<ImageDiff> {
  await using before = await openSide(parts, from, signal);
  await using after = await openSide(parts, to, signal);
  const found = await parts.snapshots.compare({
    before: before.root,
    after: after.root,
    ...(signal === undefined ? {} : { signal }),
  });
  const alike = before.side.Kind === after.side.Kind;
  const changes = found.filter(({ path, size }) => alike || size > 0 || !initLayerPaths.has(path));
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    From: before.side,
    To: after.side,
    ...countsOf(changes),
    BytesAdded: sum(changes.map(({ size }) => size)),
    BytesRemoved: sum(changes.map((change) => change.before)),
    Changes: changes.map(storeChange),
  };
}

async function openSide(parts: ImageDiffParts, name: string, signal?: AbortSignal): Promise<Side> {
  if (name === '') throw new EngineError('invalidArgument', 'the name of an image or container is needed');
  try {
    const tree = await parts.images.openTree(name, signal);
    return {
      side: { Kind: 'image', Id: tree.id },
      root: tree.root,
      [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose](),
    };
  } catch (error) {
    if (!isCode(error, 'notFound') && !isCode(error, 'invalidArgument')) throw error;
  }
  try {
    const { id, root } = await parts.containers.tree(name);
    return { side: { Kind: 'container', Id: id }, root, [Symbol.asyncDispose]: async () => undefined };
  } catch (error) {
    if (!isCode(error, 'notFound')) throw error;
    throw new EngineError('notFound', `No such image or container: ${name}`, { cause: error });
  }
}
