import type { ByteString } from '../../lib/tar/index.ts';

/** `.wh.NAME` in a layer deletes NAME of the layers below. [image-spec layer.md] */
export const whiteoutPrefix = '.wh.';
/** In a directory of a layer: nothing of the layers below shows through. */
export const opaqueName = '.wh..wh..opq';
/** What other union file systems left behind; no layer content. */
export const metaPrefix = '.wh..wh.';
/** The same as `opaqueName` in overlay's form, with the value `y`. */
export const opaqueAttribute = 'trusted.overlay.opaque';
export const overlayPrefix = 'trusted.overlay.';

/** The directory a path lies in: empty for the root. */
export function parentOf(path: ByteString): ByteString {
  const slash = path.lastIndexOf('/');
  return (slash < 0 ? '' : path.slice(0, slash)) as ByteString;
}

export function baseOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf('/') + 1) as ByteString;
}

export function joinPath(directory: ByteString, name: string): ByteString {
  return (directory === '' ? name : `${directory}/${name}`) as ByteString;
}
