import { OnePrune } from '../lib/one-prune.ts';
import { pruneEvent } from '../metadata/index.ts';
import type { ImageId } from '../oci/index.ts';
import { adoptImage, nameImage } from './adopt-image.ts';
import { loadArchive } from './archive/load.ts';
import { saveImages } from './archive/save.ts';
import { checkImages } from './check/check-images.ts';
import { createCollection } from './image-collectors.ts';
import { recordTag } from './image-events.ts';
import { imageLayers, openTree } from './image-layers.ts';
import type { ImageDependencies, ImageParts } from './image-parts.ts';
import { ImageRows } from './image-rows.ts';
import type { Images } from './images.ts';
import { keepLayoutIndex } from './layout-index.ts';
import { imageHistory, inspectImage, listImages } from './list-images.ts';
import { addImage, commitImage, importRootfs, tagOf } from './make-image.ts';
import { prunableImages, reclaimable, removeAsPlanned } from './plan-prune.ts';
import { pruneImages, removeImage, removeUnused } from './remove-image.ts';
import { repairImages } from './repair-images.ts';
import { resolveImage } from './resolve-image.ts';
import { imageSpace } from './space.ts';

/** The images of an engine. The caller owns the stores it passes in and disposes the result before them. */
export function createImages(dependencies: ImageDependencies): Images {
  const rows = new ImageRows(dependencies.metadata);
  const none = () => new Set<ImageId>();
  const { cached = none, building = none } = dependencies;
  const stores = { ...dependencies, rows, cached, building };
  const parts: ImageParts = { ...stores, collect: createCollection(stores) };
  const { collect } = parts;
  const index = keepLayoutIndex(rows, parts.content);
  const onePrune = new OnePrune();
  /** Passes a result on after saying that images changed. */
  const changed = <T>(result: T): T => {
    index.changed();
    return result;
  };

  return {
    resolve: (nameOrId) => resolveImage(rows, nameOrId).image,
    find: (id) => rows.get(id),
    layersOf: (id) => resolveImage(rows, id).image.layers,
    add: async (image) => changed(await addImage(parts, image)),
    adopt: async (image, naming, lease) => changed(await adoptImage(parts, { image, naming, lease })),
    rename: (id, naming) => {
      nameImage(parts, id, naming);
      index.changed();
    },
    named: (name) => {
      const id = rows.byReference(name);
      return id === undefined ? undefined : rows.get(id);
    },
    tagsOf: (repository) => rows.tagsOf(repository),
    repositoriesWith: (layer) => rows.namesWithLayer(layer),
    list: (options) => listImages(parts, options),
    inspect: (nameOrId, platforms) => inspectImage(parts, nameOrId, platforms),
    layers: (nameOrId, options) => imageLayers(parts, nameOrId, options),
    openTree: (nameOrId, signal) => openTree(parts, nameOrId, signal),
    history: (nameOrId, platforms) => imageHistory(parts, nameOrId, platforms),
    tag: (nameOrId, text) => {
      const { image } = resolveImage(rows, nameOrId);
      const tag = tagOf(text);
      parts.metadata.transact((transaction) => {
        rows.setReference(transaction, tag, image.id);
        recordTag(transaction, image, tag);
      });
      index.changed();
    },
    remove: async (nameOrId, options) => {
      const removed = changed(removeImage(parts, nameOrId, options));
      if (removed.some((item) => 'Deleted' in item)) await collect();
      return removed;
    },
    prune: (filters) =>
      onePrune.run(async () => {
        const removed = changed(pruneImages(parts, filters));
        const freed = removed.length === 0 ? 0 : await collect();
        parts.metadata.transact((transaction) => {
          transaction.record(pruneEvent('image', freed));
        });
        return { ImagesDeleted: removed, SpaceReclaimed: freed };
      }),
    prunable: (options) => prunableImages(parts, options),
    reclaimable: (ids, goneContainers) => reclaimable(parts, ids, goneContainers),
    removeAsPlanned: (image) => {
      const left = removeAsPlanned(parts, image);
      index.changed();
      return left;
    },
    commit: async (request, signal) => changed(await commitImage(parts, request, signal)),
    importRootfs: async (tar, options, signal) =>
      changed(await importRootfs(parts, tar, { ...options, signal })),
    load: async (archive, onProgress, options) => {
      await loadArchive(parts, archive, { onProgress, ...options });
      index.changed();
    },
    save: (names, options) => saveImages(parts, names, options),
    space: () => imageSpace(parts),
    removeUnused: async (ids) => {
      const removed = changed(removeUnused(parts, ids));
      return { removed, bytes: removed.length === 0 ? 0 : await collect() };
    },
    repair: () => repairImages(parts),
    check: (options) => checkImages(parts, index, options),
    collectGarbage: collect,
    [Symbol.asyncDispose]: () => index[Symbol.asyncDispose](),
  };
}
