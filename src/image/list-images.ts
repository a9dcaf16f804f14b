import type { Filters, ImageHistoryItem, ImageInspect, ImageSummary } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { booleanFilter } from '../lib/object-filters.ts';
import { familiarString, type ImageId, type Platform, type Reference } from '../oci/index.ts';
import { matchesReference, passes } from './image-filters.ts';
import type { ImageParts } from './image-parts.ts';
import type { ImageRow } from './image-rows.ts';
import { resolveImage } from './resolve-image.ts';
import { imageSpace, isIntermediate } from './space.ts';

export interface ListOptions {
  readonly all: boolean;
  readonly filters: Filters;
  readonly sharedSize: boolean;
}

/** `docker images`: newest first; without `all`, images that others were made from are left out unless named. */
export function listImages(parts: ImageParts, options: ListOptions): ImageSummary[] {
  const { rows } = parts;
  const { filters } = options;
  const images = rows.all();
  const references = rows.allReferences();
  const parents = new Set(images.flatMap(({ parent }) => parent ?? []));
  const cached = parts.cached();
  const dangling = booleanFilter(filters, 'dangling');
  const patterns = filters.get('reference');
  const timeOf = (name: string) => resolveImage(rows, name).image.createdAtMs;
  const before = (filters.get('before') ?? []).map(timeOf);
  const since = (filters.get('since') ?? []).map(timeOf);
  const sharedSizes = options.sharedSize ? imageSpace(parts).sharedSizes : undefined;
  const users = options.sharedSize ? usesOf(parts) : undefined;

  return images.flatMap((image): ImageSummary[] => {
    if (!passes(image, filters)) return [];
    if (before.some((time) => image.createdAtMs >= time)) return [];
    if (since.some((time) => image.createdAtMs <= time)) return [];
    const all = references.get(image.id) ?? [];
    const named = patterns === undefined ? all : all.filter((one) => isWanted(one, patterns));
    const intermediate = isIntermediate(image, { parents, cached, references: named });
    if (dangling === true && (intermediate || named.some(({ tag }) => tag !== undefined))) return [];
    if (named.length === 0) {
      if (patterns !== undefined || dangling === false) return [];
      if (!options.all && intermediate) return [];
    }
    return [
      {
        Id: image.id,
        ParentId: image.parent ?? '',
        ...namesOf(named),
        Created: Math.floor(image.createdAtMs / 1000),
        Size: image.size,
        SharedSize: sharedSizes?.get(image.id) ?? -1,
        Labels: image.config.config?.Labels ?? null,
        Containers: users === undefined ? -1 : (users.get(image.id) ?? 0),
      },
    ];
  });
}

/** `docker image inspect`. */
export function inspectImage(
  parts: ImageParts,
  nameOrId: string,
  platforms: readonly Platform[] = [],
): ImageInspect {
  const { image } = resolveImage(parts.rows, nameOrId, platforms);
  const { config } = image;
  const comment = (config as { readonly comment?: unknown }).comment;
  return {
    Id: image.id,
    ...namesOf(parts.rows.references(image.id)),
    Parent: image.parent ?? '',
    Comment: typeof comment === 'string' ? comment : (config.history?.at(-1)?.comment ?? ''),
    ...(config.created === undefined ? {} : { Created: config.created }),
    DockerVersion: '',
    Author: config.author ?? '',
    Config: config.config ?? {},
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: image.size,
    VirtualSize: image.size,
    GraphDriver: { Name: 'overlay2', Data: {} },
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Metadata: {
      LastTagTime:
        image.lastTaggedAtMs === undefined
          ? '0001-01-01T00:00:00Z'
          : new Date(image.lastTaggedAtMs).toISOString(),
    },
  };
}

/** `docker history`, newest first: ids of the image and of its parents as far as they are here. */
export function imageHistory(
  parts: ImageParts,
  nameOrId: string,
  platforms: readonly Platform[] = [],
): ImageHistoryItem[] {
  const { rows, snapshots } = parts;
  const { image } = resolveImage(rows, nameOrId, platforms);
  const sizes = image.chainIds.map((chainId) => snapshots.stat(chainId)?.usage.bytes ?? 0);
  let layer = 0;
  const items = (image.config.history ?? []).map((entry): ImageHistoryItem => {
    const size = entry.empty_layer === true ? 0 : sizes[layer++];
    if (size === undefined) throw new EngineError('internal', 'too many non-empty layers in History section');
    return {
      Id: '<missing>',
      Created: Math.floor((Date.parse(entry.created ?? '') || 0) / 1000),
      CreatedBy: entry.created_by ?? '',
      Tags: null,
      Size: size,
      Comment: entry.comment ?? '',
    };
  });
  let ancestor: ImageRow | undefined = image;
  return items.reverse().map((item) => {
    if (ancestor === undefined) return item;
    const { id, parent }: ImageRow = ancestor;
    ancestor = parent === undefined ? undefined : rows.get(parent);
    const tags = namesOf(rows.references(id)).RepoTags;
    return { ...item, Id: id, Tags: tags.length === 0 ? null : tags };
  });
}

function isWanted(reference: Reference, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchesReference(pattern, reference));
}

function namesOf(references: readonly Reference[]): Pick<ImageSummary, 'RepoTags' | 'RepoDigests'> {
  return {
    RepoTags: references.filter(({ digest }) => digest === undefined).map(familiarString),
    RepoDigests: references.filter(({ digest }) => digest !== undefined).map(familiarString),
  };
}

function usesOf({ users }: ImageParts): Map<ImageId, number> {
  const uses = new Map<ImageId, number>();
  for (const { imageId, mounted } of users())
    if (mounted === undefined) uses.set(imageId, (uses.get(imageId) ?? 0) + 1);
  return uses;
}
