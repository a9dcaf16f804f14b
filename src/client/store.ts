import type { ImageDiff, ImageLayersReport } from '../api/index.ts';
import type { Transport } from './transport.ts';

/** Gantry's own calls, which no other engine answers. */
export function storeCalls(transport: Transport) {
  return {
    /** What each layer of an image changes; with `changes` path by path. */
    imageLayers: (
      image: string,
      options: { changes?: boolean } = {},
      signal?: AbortSignal,
    ): Promise<ImageLayersReport> =>
      transport.call('GET', '/gantry/images/layers', { query: { image, ...options }, signal }),
    /** What differs between two images or containers. */
    imageDiff: (from: string, to: string, signal?: AbortSignal): Promise<ImageDiff> =>
      transport.call('GET', '/gantry/images/diff', { query: { from, to }, signal }),
  };
}
