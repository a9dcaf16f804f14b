import type { ImageSummary } from '../api/index.ts';

/** How an image without names was listed before API 1.43. */
const noNames = { RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] };

/** A listed image as clients of that API version (the minor number) know it. */
export function summaryFor(image: ImageSummary, api: number): object {
  if (api >= 44) return image;
  const sized = { ...image, VirtualSize: image.Size };
  if (api >= 43 || image.RepoTags.length + image.RepoDigests.length > 0) return sized;
  return { ...sized, ...noNames };
}
