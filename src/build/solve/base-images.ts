import { EngineError, isCode } from '../../errors/index.ts';
import type { Image, Images, Transfers } from '../../image/index.ts';
import { raceAbort } from '../../lib/keyed-lock.ts';
import {
  canonicalString,
  familiarName,
  type ImageId,
  isDigest,
  type Platform,
  parseReference,
  platformMatches,
  platformString,
  withDefaultTag,
} from '../../oci/index.ts';
import type { BuildRequest } from '../builder.ts';
import type { ResolveImage } from './build-context.ts';

export interface BaseImagesOptions {
  readonly images: Images;
  /** Without it images are those that are here. */
  readonly transfers: Transfers | undefined;
  readonly request: Pick<BuildRequest, 'pull' | 'credentials'>;
  /** Gets what is found: no removal takes it from the build. */
  readonly live: Set<ImageId>;
}

/**
 * The images that a build names: those that are here, else, or with `pull`, those a registry has. Each is pulled
 * once in a build.
 */
export function baseImages({ images, transfers, request, live }: BaseImagesOptions): ResolveImage {
  const pulled = new Map<string, Promise<Image>>();

  const pull = (
    text: string,
    options: Parameters<ResolveImage>[1] & { readonly transfers: Transfers },
  ): Promise<Image> => {
    const { platform, signal } = options;
    const key = `${text} ${platform === undefined ? '' : platformString(platform)}`;
    let image = pulled.get(key);
    if (image === undefined) {
      image = pullOnce(text, options);
      pulled.set(key, image);
    }
    return raceAbort(image, signal);
  };

  const pullOnce = async (
    text: string,
    options: Parameters<ResolveImage>[1] & { readonly transfers: Transfers },
  ): Promise<Image> => {
    const reference = withDefaultTag(parseReference(text));
    const credentials = request.credentials.get(reference.domain);
    const what = {
      reference,
      access: credentials === undefined ? {} : { credentials },
      ...(options.platform === undefined ? {} : { platform: options.platform }),
    };
    await options.transfers.pull(what, { onProgress: options.tell, signal: options.signal });
    return kept(images.resolve(canonicalString(reference)));
  };

  const kept = (image: Image): Image => {
    live.add(image.id);
    return image;
  };

  const resolve: ResolveImage = async (text, options) => {
    const known = find(images, text);
    if (transfers === undefined || isId(text)) {
      if (known === undefined) throw refusal(text);
      return kept(known);
    }
    const fits = known !== undefined && runsOn(known, options.platform);
    return fits && !request.pull ? kept(known) : pull(text, { ...options, transfers });
  };

  return async (text, options) => {
    const { platform } = options;
    const image = await resolve(text, options);
    if (platform !== undefined && !runsOn(image, platform)) {
      throw new EngineError(
        'notFound',
        `image with reference ${text} was found but does not match the specified platform: wanted ${platformString(platform)}, actual: ${platformString(image.config)}`,
      );
    }
    return image;
  };
}

function find(images: Images, text: string): Image | undefined {
  try {
    return images.resolve(text);
  } catch (error) {
    if (isCode(error, 'notFound')) return undefined;
    throw error;
  }
}

function runsOn(image: Image, platform: Platform | undefined): boolean {
  return platform === undefined || platformMatches(platform, image.config);
}

/** What no registry can be asked for. */
function isId(text: string): boolean {
  return isDigest(text) || /^[0-9a-f]{64}$/.test(text);
}

function refusal(text: string): EngineError {
  const name = isId(text) ? text : familiarName(parseReference(text));
  return new EngineError(
    'notFound',
    `pull access denied for ${name}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
  );
}
