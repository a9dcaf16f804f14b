import { createHash } from 'node:crypto';

declare const brand: unique symbol;

/** `sha256:` and 64 lower-case hex digits. */
export type Digest = `sha256:${string}` & { readonly [brand]: 'Digest' };
/** Digest of a layer's plain tar. */
export type DiffId = Digest;
/** Digest over the diffIDs from the base up to a layer; names a committed snapshot. */
export type ChainId = Digest;
/** Digest of an image's config. */
export type ImageId = Digest;

const pattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

export function digestOf(bytes: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** The 64 hex digits. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** The chainID of each layer, base first. [image-spec config.md] */
export function chainIdsOf(diffIds: readonly DiffId[]): ChainId[] {
  const chain: ChainId[] = [];
  for (const diffId of diffIds) {
    chain.push(chainIdOf(chain.at(-1), diffId));
  }
  return chain;
}

/** The chainID of a layer on its parent's; of a base it is the diffID. */
export function chainIdOf(parent: ChainId | undefined, diffId: DiffId): ChainId {
  return parent === undefined ? diffId : digestOf(`${parent} ${diffId}`);
}
