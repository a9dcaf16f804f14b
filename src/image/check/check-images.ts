import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { StoreProblem } from '../../api/index.ts';
import { EngineError, isCode, messageOf } from '../../errors/index.ts';
import { shortId } from '../../lib/ids.ts';
import { type ChainId, type Digest, digestOf, familiarString, type ImageId } from '../../oci/index.ts';
import type { ImageParts } from '../image-parts.ts';
import type { ImageRow } from '../image-rows.ts';
import type { CheckStep } from '../images.ts';
import type { LayoutIndex } from '../layout-index.ts';
import { encodeManifest } from '../store-image.ts';

export interface CheckImages {
  readonly repair: boolean;
  readonly signal: AbortSignal;
}

type Found = AsyncGenerator<CheckStep, void, undefined>;

interface Check extends ImageParts, CheckImages {
  /** Blobs and trees that were looked at. */
  readonly seen: Set<string>;
}

/** How many names of a tree's wrong paths a problem tells. */
const mostPaths = 5;

/**
 * Verifies every image's row, blobs and layer trees, then all other blobs and whatever lies beside them. What can be
 * made again is: a config from its row, a manifest of ours, a tree from its blob, `index.json`. What an image loses
 * while it is looked at is no problem; a lease keeps the rest.
 */
export async function* checkImages(parts: ImageParts, index: LayoutIndex, options: CheckImages): Found {
  const check: Check = { ...parts, ...options, seen: new Set() };
  for (const image of check.rows.all()) {
    using lease = check.metadata.leases.acquire();
    lease.add(
      ...[image.id, image.manifest, ...image.layers.map(({ digest }) => digest)].map((id) => ({
        kind: 'blob' as const,
        id,
      })),
      ...image.chainIds.map((id) => ({ kind: 'snapshot' as const, id })),
    );
    for await (const step of checkImage(check, image)) {
      // The file tells the sizes of manifests: it follows.
      if ('Mended' in step && step.Mended && step.ID === image.manifest) index.changed();
      if (check.rows.get(image.id) !== undefined) yield step;
    }
  }
  yield* checkOtherBlobs(check);
  yield* checkStrays(check);
  if (!(await index.isCurrent())) {
    yield await mend(
      check,
      { Object: 'file', ID: 'index.json', Problem: 'does not tell what there is' },
      () => index.write(),
    );
  }
}

async function* checkImage(check: Check, image: ImageRow): Found {
  const { rows, content } = check;
  yield { checking: `image ${image.id}` };
  const text = rows.configText(image.id) ?? '';
  if (digestOf(text) !== image.id) {
    yield await mend(
      check,
      { Object: 'row', ID: image.id, Problem: 'its config is another one' },
      async () => {
        const bytes = await content.read(image.id);
        if (digestOf(bytes) !== image.id) throw new Error('its blob is no better');
        check.metadata.transact((transaction) => rows.setConfigText(transaction, image.id, bytes.toString()));
      },
    );
  }
  yield* checkSmallBlob(check, image.id, text);
  yield* checkSmallBlob(
    check,
    image.manifest,
    encodeManifest({ digest: image.id, size: Buffer.byteLength(text) }, image.layers),
  );
  for (const [position, { digest }] of image.layers.entries()) {
    const chainId = image.chainIds[position];
    if (chainId === undefined) continue;
    yield* checkLayer(check, {
      digest,
      chainId,
      diffId: image.config.rootfs.diff_ids[position] ?? digest,
      image,
    });
  }
}

/** A config or manifest; `text` is what it should hold, as far as that is known. */
async function* checkSmallBlob(check: Check, digest: Digest, text: string): Found {
  if (check.seen.has(digest)) return;
  check.seen.add(digest);
  yield { checking: `blob ${digest}` };
  const problem = await blobProblem(check, digest);
  if (problem === undefined) return;
  yield await mend(check, { Object: 'blob', ID: digest, Problem: problem }, async () => {
    if (digestOf(text) !== digest) throw new Error('nothing here tells what was in it');
    await check.content.delete(digest);
    await check.content.put(text);
  });
}

async function* checkLayer(
  check: Check,
  layer: {
    readonly digest: Digest;
    readonly chainId: ChainId;
    readonly diffId: Digest;
    readonly image: ImageRow;
  },
): Found {
  const { content, layers, signal } = check;
  const { digest, chainId, diffId, image } = layer;
  const lost = check.seen.has(`lost ${digest}`);
  if (!check.seen.has(digest)) {
    check.seen.add(digest);
    yield { checking: `blob ${digest}` };
    const problem = await blobProblem(check, digest);
    if (problem !== undefined) {
      check.seen.add(`lost ${digest}`);
      // A damaged blob only stands in the way of a whole one.
      if (check.repair && problem !== missing) await content.delete(digest);
      const again = `load or pull image ${namesOf(check, image.id)} again`;
      yield { Object: 'blob', ID: digest, Problem: problem, Mended: false, Note: again };
      return;
    }
  }
  // The chainID of a plain base layer is the digest of its blob.
  const tree = `tree ${chainId}`;
  if (lost || check.seen.has(tree)) return;
  check.seen.add(tree);
  yield { checking: `layer ${chainId}` };
  if (check.snapshots.stat(chainId) === undefined) {
    const parent = image.chainIds[image.chainIds.indexOf(chainId) - 1];
    yield await mend(check, { Object: 'layer', ID: chainId, Problem: 'is not unpacked' }, async () => {
      await layers.apply(await content.open(digest), parent, { diffId, signal });
    });
    return;
  }
  const wrong = await layers.verify(chainId, await content.open(digest), { diffId, signal });
  if (wrong.length === 0) return;
  const more = wrong.length > mostPaths ? ` and ${wrong.length - mostPaths} more` : '';
  const Problem = `is not as its blob says: ${wrong.slice(0, mostPaths).join(', ')}${more}`;
  yield await mend(check, { Object: 'layer', ID: chainId, Problem }, async () => {
    assertNotMounted(check, chainId);
    await layers.restore(chainId, await content.open(digest), { diffId, signal });
  });
}

/** Of images that running containers have mounted only they themselves know. */
function assertNotMounted({ rows, users }: Check, layer: ChainId): void {
  for (const { containerId, imageId, running, mounted } of users()) {
    if (!running || mounted === undefined || rows.get(imageId)?.chainIds.includes(layer) !== true) continue;
    throw new EngineError('conflict', `layer ${layer} is in use by container ${shortId(containerId)}`);
  }
}

/** Blobs that no image names: other manifests, or what the next collection takes. */
async function* checkOtherBlobs(check: Check): Found {
  for await (const { digest } of check.content.list()) {
    if (check.seen.has(digest)) continue;
    check.seen.add(digest);
    yield { checking: `blob ${digest}` };
    const problem = await blobProblem(check, digest);
    if (problem === undefined || problem === missing) continue;
    yield await mend(check, { Object: 'blob', ID: digest, Problem: problem }, async () => {
      await check.content.delete(digest);
    });
  }
}

async function* checkStrays(check: Check): Found {
  const { repair } = check;
  for (const name of await check.content.strays({ remove: repair })) {
    yield { Object: 'file', ID: `content/${name}`, Problem: 'is no blob', Mended: repair };
  }
  for (const name of check.snapshots.strays({ remove: repair })) {
    yield {
      Object: 'file',
      ID: `snapshots/${name}`,
      Problem: 'belongs to no layer or container',
      Mended: repair,
    };
  }
}

const missing = 'is missing';

async function blobProblem({ content, signal }: Check, digest: Digest): Promise<string | undefined> {
  let blob: Readable;
  try {
    blob = await content.open(digest);
  } catch (error) {
    if (isCode(error, 'notFound')) return missing;
    throw error;
  }
  const hash = createHash('sha256');
  try {
    for await (const chunk of blob) {
      signal.throwIfAborted();
      hash.update(chunk as Buffer);
    }
  } catch (error) {
    signal.throwIfAborted();
    return `cannot be read: ${messageOf(error)}`;
  }
  const found = `sha256:${hash.digest('hex')}`;
  return found === digest ? undefined : `is damaged: its digest is ${found}`;
}

async function mend(
  { repair, signal }: CheckImages,
  problem: Omit<StoreProblem, 'Mended'>,
  repairIt: () => Promise<void>,
): Promise<StoreProblem> {
  if (!repair) return { ...problem, Mended: false };
  try {
    await repairIt();
    return { ...problem, Mended: true };
  } catch (error) {
    signal.throwIfAborted();
    return { ...problem, Mended: false, Note: messageOf(error) };
  }
}

function namesOf({ rows }: ImageParts, id: ImageId): string {
  return rows.references(id).map(familiarString)[0] ?? id;
}
