import type { Reference } from '../../oci/index.ts';
import { discard } from './body.ts';
import type { Target } from './push-blob.ts';
import type { RemoteManifest } from './registry-client.ts';
import { retrying } from './retrying.ts';

export interface ManifestPush {
  readonly manifest: RemoteManifest;
  readonly reference: Reference;
  readonly signal: AbortSignal | undefined;
}

/** Puts a manifest under its tag, else under its digest. A server in trouble is asked again. */
export async function pushManifest(
  target: Target,
  { manifest, reference, signal }: ManifestPush,
): Promise<void> {
  const name = reference.tag ?? manifest.digest;
  await retrying(signal, async () => {
    const response = await target.session.send({
      method: 'PUT',
      at: `/v2/${target.path}/manifests/${name}`,
      scopes: target.scopes,
      headers: { 'content-type': manifest.mediaType, 'content-length': String(manifest.bytes.length) },
      body: async () => manifest.bytes,
      expect: [200, 201, 202],
      signal,
    });
    await discard(response);
  });
}
