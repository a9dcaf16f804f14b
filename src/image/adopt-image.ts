import { EngineError } from '../errors/index.ts';
import type { Lease } from '../metadata/index.ts';
import type { ImageId } from '../oci/index.ts';
import type { ImageParts } from './image-parts.ts';
import type { Image, Naming, RemoteImage } from './images.ts';
import { storeImage } from './store-image.ts';

export interface Adoption {
  readonly image: RemoteImage;
  readonly naming: Naming;
  /** Holds its layers and snapshots. */
  readonly lease: Lease;
}

/** Makes what came from a registry an image, with its names, in one transaction: nobody sees half of it. */
export async function adoptImage(parts: ImageParts, { image, naming, lease }: Adoption): Promise<Image> {
  const { rows, metadata } = parts;
  const row = await storeImage(parts, image, lease);
  metadata.transact((transaction) => {
    rows.insert(transaction, row);
    for (const name of naming.names) rows.setReference(transaction, name, row.id);
    transaction.record(naming.event);
  });
  const adopted = rows.get(row.id);
  if (adopted === undefined)
    throw new EngineError('internal', `image ${row.id} was removed while it was made`);
  return adopted;
}

/** Gives an image more names, if it is still there; what was done with it is told in any case. */
export function nameImage({ rows, metadata }: ImageParts, id: ImageId, { names, event }: Naming): void {
  metadata.transact((transaction) => {
    if (rows.get(id) !== undefined) for (const name of names) rows.setReference(transaction, name, id);
    transaction.record(event);
  });
}
