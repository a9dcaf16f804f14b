import { EngineError } from '../errors/index.ts';
import { type ImageConfig, type Platform, platformMatches, platformString } from '../oci/index.ts';

/** An image has one platform: throws `notFound` in Docker's words when there are platforms, and it is none of them. */
export function assertPlatform(config: ImageConfig, name: string, platforms: readonly Platform[]): void {
  if (platforms.length === 0 || platforms.some((one) => platformMatches(one, config))) return;
  const wanted = platforms.map(platformString).join(', ');
  throw new EngineError(
    'notFound',
    `image with reference ${name} was found but does not provide the specified platform (${wanted}): it is ${platformString(config)}`,
  );
}
