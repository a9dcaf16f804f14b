import type { ContentStore } from '../../content/index.ts';
import { EngineError } from '../../errors/index.ts';
import { compressionOf } from '../../lib/decompress.ts';
import type { Lease } from '../../metadata/index.ts';
import { type Digest, isDigest } from '../../oci/index.ts';
import type { Spool } from './spool.ts';

/** The file in an archive of `save --since` that tells what was left out. */
export const deltaFile = 'gantry-delta.json';

/** What an archive stands on: images by the names they were given, and their blobs that it needs and has not. */
export interface Delta {
  readonly since: readonly string[];
  readonly omitted: readonly { readonly digest: Digest; readonly size: number }[];
}

/**
 * Takes the blobs an archive left out from the content store, held by the lease. Throws `notFound` naming all that are
 * not there. An archive that left out nothing is fine.
 */
export async function completeFromStore(
  spool: Spool,
  { content, lease }: { readonly content: ContentStore; readonly lease: Lease },
): Promise<void> {
  if (!spool.has(deltaFile)) return;
  const { since, omitted } = parseDelta(await spool.read(deltaFile));
  // Held first, so that none goes once it was seen.
  lease.add(...omitted.map(({ digest }) => ({ kind: 'blob' as const, id: digest })));
  const missing: Digest[] = [];
  for (const { digest, size } of omitted) {
    const info = await content.info(digest);
    if (info?.size === size) spool.adopt(info, compressionOf(await headOf(content, digest)));
    else missing.push(digest);
  }
  if (missing.length === 0) return;
  const names = since.join(', ');
  throw new EngineError(
    'notFound',
    `the archive holds only what ${names} lacks: load or pull ${names} first, for these blobs are not here: ${missing.join(', ')}`,
  );
}

function parseDelta(bytes: Buffer): Delta {
  try {
    const { since, omitted } = JSON.parse(bytes.toString()) as Partial<Delta>;
    const valid = (one: Delta['omitted'][number]) => isDigest(one.digest) && Number.isSafeInteger(one.size);
    if (since?.every((name) => typeof name === 'string') && omitted?.every(valid)) return { since, omitted };
  } catch (error) {
    throw new EngineError('invalidArgument', `invalid archive: invalid ${deltaFile}`, { cause: error });
  }
  throw new EngineError('invalidArgument', `invalid archive: invalid ${deltaFile}`);
}

const headBytes = 6;

async function headOf(content: ContentStore, digest: Digest): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await content.open(digest, { end: headBytes - 1 })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
