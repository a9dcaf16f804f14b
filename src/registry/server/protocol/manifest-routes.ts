import { isCode } from '../../../errors/index.ts';
import { MediaType } from '../../../oci/index.ts';
import { algorithmOf, type ContentDigest, contentDigestOf } from '../content-digest.ts';
import type { RegistryStorage } from '../storage/index.ts';
import { answer, answerJson, type Exchange, pageOf, paginate, readBody } from './exchange.ts';
import type { Limits } from './limits.ts';
import { type ManifestDocument, parseManifestDocument } from './manifest-document.ts';
import type { Origin } from './origin.ts';
import { RegistryError } from './registry-error.ts';
import { parseTag, type Reference } from './route.ts';

export interface ManifestContext {
  readonly storage: Pick<RegistryStorage, 'blobs' | 'manifests' | 'tags'>;
  readonly limits: Limits;
  readonly origin: Origin;
}

interface Target {
  readonly repository: string;
  readonly reference: Reference;
}

export async function getManifest(
  exchange: Exchange,
  { storage, origin }: ManifestContext,
  { repository, reference }: Target,
): Promise<void> {
  const { request, method } = exchange;
  const isStale =
    origin.covers(repository) && (await refresh(exchange, origin, { repository, reference })) === 'stale';
  const digest =
    reference.kind === 'digest'
      ? reference.digest
      : (await storage.tags.get(repository, reference.tag))?.digest;
  // Asked for by its digest, it may be about to be listed in an index rather than pushed again.
  if (reference.kind === 'digest' && method === 'HEAD')
    await storage.manifests.use(repository, reference.digest);
  const bytes = digest === undefined ? undefined : await storage.manifests.read(repository, digest);
  if (digest === undefined || bytes === undefined) throw unknownManifest(reference);
  const { mediaType } = parseManifestDocument(bytes);
  if (reference.kind === 'tag' && !accepts(request.headers.accept, mediaType)) {
    const text = `the manifest is a ${mediaType}, which the Accept header does not list`;
    throw new RegistryError('MANIFEST_UNKNOWN', text, { detail: { mediaType } });
  }
  const headers = {
    'content-type': mediaType,
    'content-length': bytes.length,
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    vary: 'accept',
    ...(isStale ? { warning: '110 - "Response is Stale"' } : {}),
  };
  const unchanged = request.headers['if-none-match'] === headers.etag;
  if (unchanged) answer(exchange, 304, { etag: headers.etag, 'docker-content-digest': digest });
  else answer(exchange, 200, headers, bytes);
}

async function refresh(exchange: Exchange, origin: Origin, { repository, reference }: Target) {
  try {
    return await origin.refresh(repository, reference, exchange.signal);
  } catch (error) {
    if (isCode(error, 'notFound')) throw unknownManifest(reference);
    throw error;
  }
}

export async function putManifest(
  exchange: Exchange,
  { storage, limits }: ManifestContext,
  { repository, reference }: Target,
): Promise<void> {
  const tags = tagsOf(exchange.query, reference);
  const bytes = await readBody(exchange, limits.manifestBytes);
  const algorithm = reference.kind === 'digest' ? algorithmOf(reference.digest) : 'sha256';
  const digest = contentDigestOf(bytes, algorithm);
  if (reference.kind === 'digest' && reference.digest !== digest) {
    throw new RegistryError('DIGEST_INVALID', `the manifest has digest ${digest}, not ${reference.digest}`);
  }
  const document = parseManifestDocument(bytes, exchange.request.headers['content-type']);
  await checkContent(storage, repository, document);
  const { subject } = document;
  await storage.manifests.put(
    repository,
    { digest, bytes, ...(subject === undefined ? {} : { subject }) },
    limits.quotaOf(repository),
  );
  for (const tag of tags) await storage.tags.set(repository, tag, digest);
  answer(exchange, 201, {
    location: `/v2/${repository}/manifests/${digest}`,
    'docker-content-digest': digest,
    ...(subject === undefined ? {} : { 'oci-subject': subject }),
    ...(exchange.query.has('tag') ? { 'oci-tag': tags } : {}),
  });
}

/** By tag only the tag goes; by digest the manifest and every tag on it. */
export async function deleteManifest(
  exchange: Exchange,
  { storage }: ManifestContext,
  { repository, reference }: Target,
): Promise<void> {
  if (reference.kind === 'tag') {
    if (!(await storage.tags.delete(repository, reference.tag))) throw unknownManifest(reference);
  } else {
    for (const name of (await storage.tags.names(repository)) ?? []) {
      const tag = await storage.tags.get(repository, name);
      if (tag?.digest === reference.digest) await storage.tags.delete(repository, name);
    }
    if (!(await storage.manifests.delete(repository, reference.digest))) throw unknownManifest(reference);
  }
  answer(exchange, 202);
}

export async function listTags(
  exchange: Exchange,
  { storage }: ManifestContext,
  repository: string,
): Promise<void> {
  const page = pageOf(exchange.query);
  const all = await storage.tags.names(repository);
  if (all === undefined) {
    throw new RegistryError('NAME_UNKNOWN', 'repository name not known to registry', {
      detail: { name: repository },
    });
  }
  const { names, headers } = paginate(all, page, `/v2/${repository}/tags/list`);
  answerJson(exchange, { name: repository, tags: names }, headers);
}

export async function listReferrers(
  exchange: Exchange,
  { storage }: ManifestContext,
  { repository, digest: subject }: { readonly repository: string; readonly digest: ContentDigest },
): Promise<void> {
  const wanted = exchange.query.get('artifactType');
  const manifests: object[] = [];
  for (const digest of await storage.manifests.referrers(repository, subject)) {
    const bytes = await storage.manifests.read(repository, digest);
    if (bytes === undefined) continue;
    const { mediaType, artifactType, annotations } = parseManifestDocument(bytes);
    if (wanted !== null && artifactType !== wanted) continue;
    manifests.push({ mediaType, digest, size: bytes.length, artifactType, annotations });
  }
  const index = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests };
  answerJson(exchange, index, {
    'content-type': MediaType.ociIndex,
    ...(wanted === null ? {} : { 'oci-filters-applied': 'artifactType' }),
  });
}

/**
 * All that the manifest needs must be there. Each piece is marked as used on the way: from here on no collector takes
 * it before the manifest itself keeps it.
 */
async function checkContent(
  { blobs, manifests }: ManifestContext['storage'],
  repository: string,
  document: ManifestDocument,
): Promise<void> {
  const missing: ContentDigest[] = [];
  for (const { digest, size } of document.blobs) {
    const blob = await blobs.use(repository, digest);
    if (blob === undefined) missing.push(digest);
    else if (blob.size !== size) {
      throw new RegistryError(
        'MANIFEST_INVALID',
        `manifest invalid: ${digest} has ${blob.size} bytes, not ${size}`,
      );
    }
  }
  for (const { digest } of document.children) {
    // An index of artifacts may list blobs too.
    const child = (await manifests.use(repository, digest)) ?? (await blobs.use(repository, digest));
    if (child === undefined) missing.push(digest);
  }
  if (missing.length === 0) return;
  throw new RegistryError('MANIFEST_BLOB_UNKNOWN', `blob unknown to registry: ${missing.join(', ')}`, {
    detail: missing.map((digest) => ({ digest })),
  });
}

/** The tags to set: the reference itself, or those in the query of a push by digest. */
function tagsOf(query: URLSearchParams, reference: Reference): readonly string[] {
  const more = query.getAll('tag').map(parseTag);
  return reference.kind === 'tag' ? [reference.tag, ...more] : more;
}

/** Whether a client that sends this Accept header takes the media type. No header, or a wildcard, takes all. */
function accepts(header: string | undefined, mediaType: string): boolean {
  if (header === undefined || header.trim() === '') return true;
  const listed = header.split(',').map((one) => one.split(';', 1)[0]?.trim().toLowerCase());
  return [mediaType, '*/*', 'application/*', 'application/json'].some((type) => listed.includes(type));
}

function unknownManifest(reference: Reference): RegistryError {
  const detail = reference.kind === 'tag' ? { tag: reference.tag } : { digest: reference.digest };
  return new RegistryError('MANIFEST_UNKNOWN', 'manifest unknown to registry', { detail });
}
