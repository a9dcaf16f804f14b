import { type ContentDigest, isContentDigest } from '../content-digest.ts';
import { RegistryError } from './registry-error.ts';

/** What a path of the distribution API names. */
export type Route =
  | { readonly kind: 'ping' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'tags'; readonly repository: string }
  | { readonly kind: 'manifest'; readonly repository: string; readonly reference: Reference }
  | { readonly kind: 'blob'; readonly repository: string; readonly digest: ContentDigest }
  | { readonly kind: 'uploads'; readonly repository: string }
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string }
  | { readonly kind: 'referrers'; readonly repository: string; readonly digest: ContentDigest };

/** The last part of a manifest's path. */
export type Reference =
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'digest'; readonly digest: ContentDigest };

const namePattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const longestName = 255;

const uploadsPath = /^\/v2\/(.+)\/blobs\/uploads\/?$/;
const uploadPath = /^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/;
const contentPath = /^\/v2\/(.+)\/(blobs|manifests|referrers)\/([^/]+)$/;
const tagsPath = /^\/v2\/(.+)\/tags\/list\/?$/;

/** Reads the path of a request; undefined where the API has no such path. Throws what is wrong with a name in it. */
export function parseRoute(encodedPath: string): Route | undefined {
  const path = decode(encodedPath);
  if (path === undefined) return undefined;
  if (path === '/v2/' || path === '/v2') return { kind: 'ping' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  const uploads = uploadsPath.exec(path);
  if (uploads !== null) return { kind: 'uploads', repository: parseRepository(uploads[1]) };
  const upload = uploadPath.exec(path);
  if (upload !== null) {
    return { kind: 'upload', repository: parseRepository(upload[1]), id: upload[2] ?? '' };
  }
  const tags = tagsPath.exec(path);
  if (tags !== null) return { kind: 'tags', repository: parseRepository(tags[1]) };
  const content = contentPath.exec(path);
  if (content === null) return undefined;
  const [, name, kind, last = ''] = content;
  const repository = parseRepository(name);
  if (kind === 'manifests') return { kind: 'manifest', repository, reference: parseReference(last) };
  return { kind: kind === 'blobs' ? 'blob' : 'referrers', repository, digest: parseContentDigest(last) };
}

/** Throws NAME_INVALID. */
export function parseRepository(name = ''): string {
  if (name.length <= longestName && namePattern.test(name)) return name;
  throw new RegistryError('NAME_INVALID', 'invalid repository name', { detail: { name } });
}

/** Throws TAG_INVALID. */
export function parseTag(tag: string): string {
  if (tagPattern.test(tag)) return tag;
  throw new RegistryError('TAG_INVALID', 'invalid tag', { detail: { tag } });
}

/** Throws DIGEST_INVALID. */
export function parseContentDigest(text: string | null): ContentDigest {
  if (text !== null && isContentDigest(text)) return text;
  throw new RegistryError('DIGEST_INVALID', 'invalid or unsupported digest', { detail: { digest: text } });
}

/** The text is a tag unless it has a colon, which no tag can have. */
export function parseReference(text: string): Reference {
  if (text.includes(':')) return { kind: 'digest', digest: parseContentDigest(text) };
  if (tagPattern.test(text)) return { kind: 'tag', tag: text };
  throw new RegistryError('MANIFEST_UNKNOWN', 'manifest unknown', { detail: { tag: text } });
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
