import type { Filters, ImageDeleteItem } from '../api/index.ts';
import { EngineError, isCode } from '../errors/index.ts';
import { shortId } from '../lib/ids.ts';
import { booleanFilter } from '../lib/object-filters.ts';
import type { Transaction } from '../metadata/index.ts';
import { canonicalName, familiarString, type ImageId, type Platform, type Reference } from '../oci/index.ts';
import { recordImage } from './image-events.ts';
import { passes } from './image-filters.ts';
import type { ImageParts } from './image-parts.ts';
import type { ImageRow } from './image-rows.ts';
import type { ImageUser } from './images.ts';
import { resolveImage } from './resolve-image.ts';

export interface RemoveOptions {
  readonly force: boolean;
  readonly noPrune: boolean;
  /** One of them must be the image's own. */
  readonly platforms?: readonly Platform[];
}

/** What stands in the way; `hard` ones cannot be forced. */
type Obstacle = 'child' | 'running' | 'reference' | 'stopped';
const hard: readonly Obstacle[] = ['child', 'running'];

class Conflict extends EngineError {
  /** A container or a build uses the image. */
  readonly used: boolean;

  constructor(id: ImageId, obstacle: Obstacle, detail: string) {
    const force = hard.includes(obstacle) ? 'cannot be forced' : 'must be forced';
    super('conflict', `conflict: unable to delete ${shortId(id)} (${force}) - ${detail}`);
    this.used = obstacle === 'running' || obstacle === 'stopped';
  }
}

/**
 * `docker rmi` in one transaction: all of it or nothing. By reference it takes the reference, and the image with
 * the last one; by id the image with its references. `conflict` in Docker's words.
 * Steps of the build cache that stand on the image go with it. The blobs and snapshots stay until the next garbage
 * collection.
 */
export function removeImage(parts: ImageParts, nameOrId: string, options: RemoveOptions): ImageDeleteItem[] {
  return parts.metadata.transact((transaction) => new Removal(parts, transaction, options).remove(nameOrId));
}

/** Removes unused images one by one: dangling ones, or with `dangling=false` all. In use: left without a word. */
export function pruneImages(parts: ImageParts, filters: Filters): ImageDeleteItem[] {
  const { rows } = parts;
  const danglingOnly = booleanFilter(filters, 'dangling') ?? true;
  const references = rows.allReferences();
  const cached = parts.cached();
  const names = rows.all().flatMap((image): string[] => {
    if (!passes(image, filters)) return [];
    const refs = references.get(image.id) ?? [];
    if (refs.length === 0)
      return cached.has(image.id) || rows.children(image.id).length > 0 ? [] : [image.id];
    if (danglingOnly && refs.some(({ tag }) => tag !== undefined)) return [];
    return refs.map(familiarString);
  });
  return names.flatMap((name) => removeUnlessUsed(parts, name));
}

/** Removes those of the images that have no name, child or container; children are tried before their parents. */
export function removeUnused(parts: ImageParts, ids: readonly ImageId[]): ImageId[] {
  const { rows } = parts;
  const removed: ImageId[] = [];
  let left = new Set(ids);
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    for (const id of left) {
      if (rows.children(id).length > 0) continue;
      left.delete(id);
      if (rows.references(id).length > 0) continue;
      if (removeUnlessUsed(parts, id, { noPrune: true }).length > 0) removed.push(id);
    }
    left = new Set(left);
  }
  return removed;
}

function removeUnlessUsed(parts: ImageParts, name: string, { noPrune = false } = {}): ImageDeleteItem[] {
  try {
    return removeImage(parts, name, { force: false, noPrune });
  } catch (error) {
    // It is used, or went with another one.
    if (isCode(error, 'conflict') || isCode(error, 'notFound')) return [];
    throw error;
  }
}

class Removal {
  readonly #parts: ImageParts;
  readonly #transaction: Transaction;
  readonly #options: RemoveOptions;
  readonly #users: readonly ImageUser[];
  readonly #cached: ReadonlySet<ImageId>;
  readonly #building: ReadonlySet<ImageId>;
  readonly #done: ImageDeleteItem[] = [];

  constructor(parts: ImageParts, transaction: Transaction, options: RemoveOptions) {
    this.#parts = parts;
    this.#transaction = transaction;
    this.#options = options;
    this.#users = [...parts.users()];
    this.#cached = parts.cached();
    this.#building = parts.building();
  }

  remove(nameOrId: string): ImageDeleteItem[] {
    const { rows } = this.#parts;
    const { image, reference } = resolveImage(rows, nameOrId, this.#options.platforms);
    const references = rows.references(image.id);
    const { force } = this.#options;
    if (reference !== undefined) {
      const user = this.#userOf(image.id);
      if (!force && isSingle(references) && user !== undefined) {
        throw new EngineError(
          'conflict',
          `conflict: unable to remove repository reference ${JSON.stringify(nameOrId)} (must force) - ` +
            `${user} is using its referenced image ${shortId(image.id)}`,
        );
      }
      if (this.#untagWithDigests(image, reference) > 0) return this.#done;
      this.#delete(image, { force, quiet: true });
      return this.#done;
    }
    if (isSingle(references)) {
      this.#check(image.id, force ? hard : [...hard, 'stopped']);
      for (const one of references) this.#untag(image, one);
    }
    this.#delete(image, { force, quiet: false });
    return this.#done;
  }

  #userOf(id: ImageId): string | undefined {
    const user = this.#users.find(({ imageId }) => imageId === id);
    if (user !== undefined) return `container ${shortId(user.containerId)}`;
    return this.#building.has(id) ? 'a running build' : undefined;
  }

  /** Takes a reference, and with a repository's last tag its digests; returns how many references are left. */
  #untagWithDigests(image: ImageRow, reference: Reference): number {
    const { rows } = this.#parts;
    this.#untag(image, reference);
    const left = rows.references(image.id);
    if (reference.digest !== undefined) return left.length;
    const name = canonicalName(reference);
    const sameRepository = left.filter((one) => canonicalName(one) === name);
    if (sameRepository.some(({ tag }) => tag !== undefined)) return left.length;
    for (const one of sameRepository) this.#untag(image, one);
    return left.length - sameRepository.length;
  }

  #untag(image: ImageRow, reference: Reference): void {
    this.#parts.rows.removeReference(this.#transaction, reference);
    recordImage(this.#transaction, 'untag', image);
    this.#done.push({ Untagged: familiarString(reference) });
  }

  #delete(image: ImageRow, { force, quiet }: { readonly force: boolean; readonly quiet: boolean }): void {
    const { rows } = this.#parts;
    try {
      this.#check(image.id, force ? hard : [...hard, 'reference', 'stopped']);
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      // Docker keeps quiet unless the image would be left dangling for no reason one can see.
      const dangling = rows.references(image.id).length === 0 && rows.children(image.id).length === 0;
      if (quiet && (!dangling || error.used)) return;
      throw error;
    }
    for (const reference of rows.references(image.id)) this.#untag(image, reference);
    for (const id of this.#cacheOn(image.id) ?? []) {
      const step = rows.get(id);
      if (step !== undefined) this.#drop(step);
    }
    this.#drop(image);
    const parent = image.parent === undefined ? undefined : rows.get(image.parent);
    // What else was made from the parent keeps it, the build cache's steps too.
    if (parent === undefined || this.#options.noPrune || rows.children(parent.id).length > 0) return;
    this.#delete(parent, { force: false, quiet: true });
  }

  #drop(image: ImageRow): void {
    const { id } = image;
    this.#parts.rows.remove(this.#transaction, id);
    // Without its labels: for Docker the image is gone when it tells.
    this.#transaction.record({ type: 'image', action: 'delete', id, attributes: { name: id } });
    this.#done.push({ Deleted: id });
    for (const chainId of this.#releasedLayers(image)) this.#done.push({ Deleted: chainId });
  }

  /** The images made from one, children before their parents, if only the build cache wants them; else `undefined`. */
  #cacheOn(id: ImageId): ImageId[] | undefined {
    const { rows } = this.#parts;
    const found: ImageId[] = [];
    for (const child of rows.children(id)) {
      const below = this.#cacheOn(child);
      const isUsed =
        this.#users.some(({ imageId }) => imageId === child) || rows.references(child).length > 0;
      // A step on the way may have lost its record to a later one of the same key; what was made from it tells.
      const isStep = this.#cached.has(child) || (below !== undefined && below.length > 0);
      if (below === undefined || isUsed || !isStep) return undefined;
      found.push(...below, child);
    }
    return found;
  }

  /** Layers nobody needs now, top first. */
  #releasedLayers(image: ImageRow): string[] {
    if (this.#users.some(({ imageId }) => imageId === image.id)) return [];
    const used = new Set(this.#parts.rows.all().flatMap(({ chainIds }) => chainIds));
    return image.chainIds.filter((chainId) => !used.has(chainId)).reverse();
  }

  #check(id: ImageId, obstacles: readonly Obstacle[]): void {
    const { rows } = this.#parts;
    const users = this.#users.filter(({ imageId }) => imageId === id);
    if (obstacles.includes('child') && this.#cacheOn(id) === undefined) {
      throw new Conflict(id, 'child', 'image has dependent child images');
    }
    const running = users.find((user) => user.running);
    if (obstacles.includes('running') && running !== undefined) {
      const container = shortId(running.containerId);
      throw new Conflict(id, 'running', `image is being used by running container ${container}`);
    }
    if (obstacles.includes('running') && this.#building.has(id)) {
      throw new Conflict(id, 'running', 'image is being used by a running build');
    }
    if (obstacles.includes('reference') && rows.references(id).length > 0) {
      throw new Conflict(id, 'reference', 'image is referenced in multiple repositories');
    }
    const stopped = users.find((user) => !user.running);
    if (obstacles.includes('stopped') && stopped !== undefined) {
      const container = shortId(stopped.containerId);
      throw new Conflict(id, 'stopped', `image is being used by stopped container ${container}`);
    }
  }
}

/** All references are of one repository with at most one tag among them. */
function isSingle(references: readonly Reference[]): boolean {
  const [first] = references;
  if (first === undefined) return false;
  const name = canonicalName(first);
  const tags = references.filter(({ digest }) => digest === undefined);
  return tags.length <= 1 && references.every((one) => canonicalName(one) === name);
}
