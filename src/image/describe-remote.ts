import { buffer } from 'node:stream/consumers';
import type { DistributionInspect } from '../api/index.ts';
import { type Digest, type Platform, parseImageConfig, parseManifestOrIndex } from '../oci/index.ts';
import type { RemoteBlob, RemoteManifest } from '../registry/index.ts';

/** `GET /distribution/NAME/json`: the descriptor a name stands for, and the platforms it is for. */
export async function describeRemote(
  { bytes, digest, mediaType }: RemoteManifest,
  open: (config: Digest) => Promise<RemoteBlob>,
): Promise<DistributionInspect> {
  const parsed = parseManifestOrIndex(bytes);
  const platforms: Platform[] = [];
  if (parsed.kind === 'index') {
    for (const { platform } of parsed.index.manifests) if (platform !== undefined) platforms.push(platform);
  } else {
    const { stream } = await open(parsed.manifest.config.digest);
    const { os, architecture, variant } = parseImageConfig(await buffer(stream));
    platforms.push({ architecture, os, ...(variant === undefined ? {} : { variant }) });
  }
  return { Descriptor: { mediaType, digest, size: bytes.length }, Platforms: platforms };
}
