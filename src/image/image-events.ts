import type { Transaction } from '../metadata/index.ts';
import { familiarString, type Reference } from '../oci/index.ts';
import type { Image } from './images.ts';

/** Tells what was done with an image that is here; its labels go along, as for Docker. */
export function recordImage(
  transaction: Transaction,
  action: 'create' | 'import' | 'load' | 'save' | 'untag',
  { id, config }: Pick<Image, 'id' | 'config'>,
): void {
  const attributes = { ...config.config?.Labels, name: id };
  transaction.record({ type: 'image', action, id, attributes });
}

/** Tells that an image got a name. */
export function recordTag(
  transaction: Transaction,
  { id, config }: Pick<Image, 'id' | 'config'>,
  tag: Reference,
): void {
  const attributes = { ...config.config?.Labels, name: familiarString(tag) };
  transaction.record({ type: 'image', action: 'tag', id, attributes });
}
