import { MediaType } from '../../../oci/index.ts';
import { type ContentDigest, isContentDigest } from '../content-digest.ts';
import { RegistryError } from './registry-error.ts';

/** A reference from a manifest to other content. */
export interface Link {
  readonly digest: ContentDigest;
  readonly size: number;
}

/** What a registry has to know of a manifest or index; the rest of it is the client's. */
export interface ManifestDocument {
  readonly mediaType: string;
  readonly kind: 'manifest' | 'index';
  /** Config and layers that have to be stored here. */
  readonly blobs: readonly Link[];
  /** Layers to be fetched from elsewhere, which may be stored all the same. */
  readonly foreign: readonly Link[];
  /** The manifests of an index. */
  readonly children: readonly Link[];
  readonly subject?: ContentDigest;
  /** The one it names itself, else its config's media type. */
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

type Fields = Readonly<Record<string, unknown>>;

const kinds: Readonly<Record<string, ManifestDocument['kind']>> = {
  [MediaType.ociManifest]: 'manifest',
  [MediaType.dockerManifest]: 'manifest',
  [MediaType.ociIndex]: 'index',
  [MediaType.dockerIndex]: 'index',
};

/** Layers that are fetched from elsewhere and need not be stored. */
const foreignLayer = /\.(?:foreign|nondistributable)\./;

/**
 * Parses what a client pushes. `contentType` is that of the request; it and the document's own `mediaType` must agree.
 * Throws MANIFEST_INVALID with the reason.
 */
export function parseManifestDocument(bytes: Uint8Array, contentType?: string): ManifestDocument {
  const fields = parseFields(bytes);
  if (fields['schemaVersion'] !== 2) throw invalid('schemaVersion must be 2');
  const kind = kindOf(fields);
  const mediaType = mediaTypeOf(fields, kind, contentType);
  const subject = fields['subject'] ?? undefined;
  const config = kind === 'manifest' ? linkOf(fields['config'], 'config') : undefined;
  const layers = kind === 'manifest' ? listOf(fields['layers'], 'layers') : [];
  const children = kind === 'index' ? listOf(fields['manifests'], 'manifests') : [];
  const artifactType = artifactTypeOf(fields);
  const annotations = annotationsOf(fields['annotations']);
  const links = layers.map((layer, at) => ({ foreign: isForeign(layer), ...linkOf(layer, `layers[${at}]`) }));
  return {
    mediaType,
    kind,
    blobs: [...(config === undefined ? [] : [config]), ...links.filter(({ foreign }) => !foreign)],
    foreign: links.filter(({ foreign }) => foreign),
    children: children.map((child, at) => linkOf(child, `manifests[${at}]`)),
    ...(subject === undefined ? {} : { subject: linkOf(subject, 'subject').digest }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function parseFields(bytes: Uint8Array): Fields {
  try {
    return fieldsOf(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)), 'manifest');
  } catch (error) {
    if (error instanceof RegistryError) throw error;
    throw new RegistryError('MANIFEST_INVALID', 'manifest invalid: not JSON', { cause: error });
  }
}

function kindOf(fields: Fields): ManifestDocument['kind'] {
  const isIndex = Array.isArray(fields['manifests']);
  if (isIndex && (fields['config'] !== undefined || fields['layers'] !== undefined)) {
    throw invalid('it has the fields of a manifest and of an index');
  }
  return isIndex ? 'index' : 'manifest';
}

function mediaTypeOf(
  fields: Fields,
  kind: ManifestDocument['kind'],
  contentType: string | undefined,
): string {
  const own = fields['mediaType'];
  if (own !== undefined && typeof own !== 'string') throw invalid('mediaType must be a string');
  const asked = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  const assumed = kind === 'index' ? MediaType.ociIndex : MediaType.ociManifest;
  // Without a mediaType of its own a document can only be OCI's, which is also how it will be read back.
  const mediaType = own ?? assumed;
  if (kinds[mediaType] === undefined) throw invalid(`media type ${mediaType} is not supported`);
  if (kinds[mediaType] !== kind) throw invalid(`its media type is ${mediaType}, but it is not of that kind`);
  if (asked !== undefined && asked !== '' && asked !== mediaType) {
    throw invalid(`its media type is ${mediaType}, but the Content-Type is ${asked}`);
  }
  return mediaType;
}

function artifactTypeOf(fields: Fields): string | undefined {
  const own = fields['artifactType'];
  if (typeof own === 'string' && own !== '') return own;
  const config = fields['config'];
  if (typeof config !== 'object' || config === null) return undefined;
  const { mediaType } = config as Fields;
  return typeof mediaType === 'string' ? mediaType : undefined;
}

function annotationsOf(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = fieldsOf(value, 'annotations');
  if (Object.values(fields).some((one) => typeof one !== 'string')) {
    throw invalid('annotations must be strings');
  }
  return fields as Readonly<Record<string, string>>;
}

function linkOf(value: unknown, what: string): Link {
  const { digest, size } = fieldsOf(value, what);
  if (typeof digest !== 'string' || !isContentDigest(digest)) throw invalid(`${what} has no valid digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(`${what} has no valid size`);
  }
  return { digest, size };
}

function isForeign(layer: unknown): boolean {
  const { mediaType, urls } = fieldsOf(layer, 'layer');
  return (
    typeof mediaType === 'string' && foreignLayer.test(mediaType) && Array.isArray(urls) && urls.length > 0
  );
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(`${what} must be an array`);
  return value as unknown[];
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw invalid(`${what} must be an object`);
}

function invalid(reason: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `manifest invalid: ${reason}`);
}
