import { isDeepStrictEqual } from 'node:util';
import { isCode } from '../../errors/index.ts';
import type { Image, Images } from '../../image/index.ts';
import { platformMatches } from '../../oci/index.ts';
import { addStepImage, type NewStepImage } from './add-image.ts';
import type { BuildContext } from './build-context.ts';

/** The images that --cache-from names and that are here; as in Docker the others are left out without a word. */
export function cacheImages(images: Images, names: readonly string[]): Image[] {
  return names.flatMap((name) => {
    try {
      return [images.resolve(name)];
    } catch (error) {
      if (isCode(error, 'notFound') || isCode(error, 'invalidArgument')) return [];
      throw error;
    }
  });
}

/**
 * The images of --cache-from as one stage sees them. An image has gone through a step if its history and layers begin
 * as those of the step's parent, and its history then tells the step in the same words: for COPY these hold a digest of
 * what is copied and how. An image that came from elsewhere has no other record of its steps. For SOURCE_DATE_EPOCH only
 * images of that time count.
 */
export class CacheSources {
  readonly #context: BuildContext;
  #sources: readonly Image[];

  constructor(context: BuildContext) {
    this.#context = context;
    const { request, cacheFrom, epochMs } = context;
    this.#sources = request.noCache
      ? []
      : cacheFrom.filter(
          ({ config }) => epochMs === undefined || Date.parse(config.created ?? '') === epochMs,
        );
  }

  /**
   * The image that the step gave when one of them was made. That is `cached`, what the engine's own cache has for the
   * step, if one of them goes on from there: then nothing has to be made.
   */
  async take(
    step: Omit<NewStepImage, 'layer' | 'entry'>,
    cached: Image | undefined,
  ): Promise<Image | undefined> {
    const { parent, createdBy } = step;
    const began = this.#sources.filter((image) => beganAs(image, step));
    const above = cached === undefined ? undefined : began.find((image) => beginsWith(image, cached));
    if (above !== undefined) {
      this.#sources = [above];
      return cached;
    }
    const at = parent?.config.history?.length ?? 0;
    const source = began.find((image) => image.config.history?.[at]?.created_by === createdBy);
    const { history = [], rootfs } = source?.config ?? {};
    const entry = history[at];
    if (source === undefined || entry === undefined || rootfs === undefined) return undefined;
    // What comes next is not looked for in another one, which only happens to have the same beginning.
    this.#sources = [source];
    if (history.length === at + 1) return source;
    if (entry.empty_layer === true) return addStepImage(this.#context, { ...step, entry });
    const below = parent?.config.rootfs.diff_ids.length ?? 0;
    const layer = this.#context.images.layersOf(source.id)[below];
    const diffId = rootfs.diff_ids[below];
    if (layer === undefined || diffId === undefined) return undefined;
    return addStepImage(this.#context, { ...step, entry, layer: { layer, diffId } });
  }
}

function beganAs(image: Image, { parent, platform }: Pick<NewStepImage, 'parent' | 'platform'>): boolean {
  if (!platformMatches(parent?.config ?? platform, image.config)) return false;
  return parent === undefined || beginsWith(image, parent);
}

function beginsWith({ config }: Image, beginning: Image): boolean {
  const { history = [], rootfs } = beginning.config;
  return (
    isDeepStrictEqual(config.history?.slice(0, history.length), history) &&
    isDeepStrictEqual(config.rootfs.diff_ids.slice(0, rootfs.diff_ids.length), rootfs.diff_ids)
  );
}
