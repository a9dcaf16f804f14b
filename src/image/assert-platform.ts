import { EngineError } from '../errors/index.ts';
import { type ImageConfig, type Platform, platformMatches, platformString } from '../oci/index.ts';

/** An image has one platform: throws `notFound` in Docker's words when there are platforms, and it is none of them. */
export function assertPlatform(config: ImageConfig, name: string, platforms: readonly Platform[]): void {
  if (platforms.length === 0 || platforms.some((one) => platformMatches(one, config))) return;
  throw new EngineError('notFound', otherPlatform(config, name, platforms));
}

/** What Docker says of an image of another platform than those asked for. */
export function otherPlatform(config: ImageConfig, name: string, asked: readonly Platform[]): string {
  const wanted = asked.map(platformString).join(', ');
  return `image with reference ${name} was found but its platform (${platformString(config)}) does not match the specified platform (${wanted})`;
}
