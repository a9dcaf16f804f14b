import { EngineError } from '../errors/index.ts';
import type { Images } from '../image/index.ts';
import type { Container } from './record.ts';

/** A container's image as the client named it, unless that name means another image by now. Looks each name up once. */
export function imageNames(images: Images): (container: Container) => string {
  const idOf = new Map<string, string | undefined>();
  return ({ record: { config, imageId } }) => {
    if (!idOf.has(config.Image)) idOf.set(config.Image, idOfImage(images, config.Image));
    return idOf.get(config.Image) === imageId ? config.Image : imageId;
  };
}

function idOfImage(images: Images, name: string): string | undefined {
  try {
    return images.resolve(name).id;
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}
