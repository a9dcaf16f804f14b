import { createHash, type Hash } from 'node:crypto';
import type { Digest } from '../../oci/index.ts';

declare const brand: unique symbol;

/** The digest algorithms a registry stores content under. */
export type Algorithm = 'sha256' | 'sha512';

/** A digest as the distribution API knows it; other parts of Gantry store sha256 only. */
export type ContentDigest = Digest | (`sha512:${string}` & { readonly [brand]: 'ContentDigest' });

const patterns: Readonly<Record<Algorithm, RegExp>> = {
  sha256: /^sha256:[0-9a-f]{64}$/,
  sha512: /^sha512:[0-9a-f]{128}$/,
};

export const algorithms = Object.keys(patterns) as readonly Algorithm[];

export function isAlgorithm(text: string): text is Algorithm {
  return Object.hasOwn(patterns, text);
}

export function isContentDigest(text: string): text is ContentDigest {
  return Object.values(patterns).some((pattern) => pattern.test(text));
}

export function algorithmOf(digest: ContentDigest): Algorithm {
  return digest.slice(0, digest.indexOf(':')) as Algorithm;
}

/** The hex digits. */
export function encodedOf(digest: ContentDigest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

export function contentDigestOf(bytes: Uint8Array | string, algorithm: Algorithm = 'sha256'): ContentDigest {
  return digestOfHash(createHash(algorithm).update(bytes), algorithm);
}

/** Ends the hash. */
export function digestOfHash(hash: Hash, algorithm: Algorithm): ContentDigest {
  return `${algorithm}:${hash.digest('hex')}` as ContentDigest;
}
