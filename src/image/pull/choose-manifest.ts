import { EngineError } from '../../errors/index.ts';
import { type Descriptor, type Index, type Platform, platformString } from '../../oci/index.ts';

/** The variant that none means, where an architecture has levels that include the lower ones. */
const usualVariant: Readonly<Record<string, string>> = { amd64: 'v1', arm: 'v7', arm64: 'v8' };

/**
 * The manifest of an index that fits best: the variant asked for, else the highest it can run. Throws `notFound` in
 * Docker's words, with what there is, when none fits.
 */
export function chooseManifest(index: Index, wanted: Platform): Descriptor {
  const best = bestFor(wanted, index.manifests);
  if (best !== undefined) return best;
  // Who names no platform means the one.
  const unnamed = index.manifests.filter(({ platform }) => platform === undefined);
  const [only] = unnamed;
  if (only !== undefined && unnamed.length === index.manifests.length) return only;
  const there = index.manifests.flatMap(({ platform }) => {
    return platform === undefined || platform.architecture === 'unknown' ? [] : [platformString(platform)];
  });
  const text = there.length === 0 ? 'it has no image' : `it has ${[...new Set(there)].join(', ')}`;
  throw new EngineError(
    'notFound',
    `no matching manifest for ${platformString(wanted)} in the manifest list entries: ${text}`,
  );
}

/** Of those that name a platform the one that fits best, if any does. */
export function bestFor(wanted: Platform, descriptors: readonly Descriptor[]): Descriptor | undefined {
  const [best] = descriptors
    .map((descriptor) => ({ descriptor, rank: rankOf(descriptor.platform, wanted) }))
    .filter(({ rank }) => rank !== undefined)
    .sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0));
  return best?.descriptor;
}

/** Lower is better; `undefined` does not run there. */
function rankOf(has: Platform | undefined, wanted: Platform): number | undefined {
  if (has === undefined || has.os !== wanted.os || has.architecture !== wanted.architecture) return undefined;
  const usual = usualVariant[wanted.architecture];
  if (usual === undefined) return (has.variant ?? '') === (wanted.variant ?? '') ? 0 : undefined;
  const [want, got] = [wanted.variant || usual, has.variant || usual];
  if (want === got) return 0;
  const distance = levelOf(want) - levelOf(got);
  return distance > 0 ? distance : undefined;
}

function levelOf(variant: string): number {
  const level = Number(variant.replace(/^v/, ''));
  return Number.isNaN(level) ? 0 : level;
}
