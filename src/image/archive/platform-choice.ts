import { EngineError } from '../../errors/index.ts';
import {
  type Descriptor,
  hostPlatform,
  type Platform,
  platformMatches,
  platformString,
} from '../../oci/index.ts';
import { bestFor } from '../pull/choose-manifest.ts';

/** Which images of an archive are wanted, and what was passed over, for the error when nothing is left. */
export class PlatformChoice {
  readonly #wanted: readonly Platform[];
  readonly #passedOver = new Set<string>();

  /** Without platforms every image is wanted, and of an index the one for this host. */
  constructor(wanted: readonly Platform[]) {
    this.#wanted = wanted;
  }

  takes(platform: Platform): boolean {
    if (this.#wanted.length === 0 || this.#wanted.some((one) => platformMatches(one, platform))) return true;
    this.#passedOver.add(platformString(platform));
    return false;
  }

  /** The descriptor of an index that fits best; else one without a platform. */
  among(descriptors: readonly Descriptor[]): Descriptor | undefined {
    for (const wanted of this.#wanted.length === 0 ? [hostPlatform()] : this.#wanted) {
      const best = bestFor(wanted, descriptors);
      if (best !== undefined) return best;
    }
    for (const descriptor of descriptors) {
      if (descriptor.platform === undefined) return descriptor;
      this.#passedOver.add(platformString(descriptor.platform));
    }
    return undefined;
  }

  /** The images chosen. Throws `notFound` if all were passed over. */
  made<T>(images: T[]): T[] {
    if (images.length > 0 || this.#passedOver.size === 0) return images;
    const wanted = (this.#wanted.length === 0 ? [hostPlatform()] : this.#wanted).map(platformString);
    throw new EngineError(
      'notFound',
      `the archive does not provide the specified platform (${wanted.join(', ')}): it has ${[...this.#passedOver].sort().join(', ')}`,
    );
  }
}
