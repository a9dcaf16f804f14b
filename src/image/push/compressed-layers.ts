import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ContentStore } from '../../content/index.ts';
import { parallelGzip } from '../../lib/parallel-gzip.ts';
import { SharedWork } from '../../lib/shared-work.ts';
import type { Lease, Metadata } from '../../metadata/index.ts';
import { type Digest, MediaType } from '../../oci/index.ts';
import type { ImageLayer } from '../images.ts';

interface StoredRow {
  readonly compressed_digest: Digest;
  readonly compressed_size: number;
}

/** Layers made here are plain tars; what they compress to is stored beside them, so that it is done once. */
export class CompressedLayers {
  readonly #metadata: Metadata;
  readonly #content: ContentStore;
  readonly #shared = new SharedWork<ImageLayer>();
  readonly #statements: ReturnType<typeof prepare>;

  constructor(metadata: Metadata, content: ContentStore) {
    this.#metadata = metadata;
    this.#content = content;
    this.#statements = prepare(metadata);
  }

  /** The compressed form of a plain layer, held by the lease when it returns. */
  async of(layer: ImageLayer, lease: Lease, signal: AbortSignal): Promise<ImageLayer> {
    const known = this.#known(layer.digest);
    if (known !== undefined) {
      lease.add({ kind: 'blob', id: known.digest });
      if ((await this.#content.info(known.digest)) !== undefined) return known;
    }
    const compressed = await this.#shared.join({
      key: layer.digest,
      signal,
      work: (_tell, workSignal) => this.#compress(layer, lease, workSignal),
    });
    lease.add({ kind: 'blob', id: compressed.digest });
    return compressed;
  }

  #known(digest: Digest): ImageLayer | undefined {
    const row = this.#statements.get.get(digest) as StoredRow | undefined;
    return row === undefined ? undefined : layerOf(row.compressed_digest, row.compressed_size);
  }

  async #compress(layer: ImageLayer, lease: Lease, signal: AbortSignal): Promise<ImageLayer> {
    await using blob = await this.#content.ingest(signal);
    const plain = await this.#content.open(layer.digest);
    const compressed = Readable.from(parallelGzip(plain as AsyncIterable<Buffer>), { objectMode: false });
    await pipeline(compressed, blob.writable, { signal });
    const { digest, size } = await blob.commit({}, lease);
    this.#metadata.transact(() => {
      this.#statements.put.run(layer.digest, digest, size);
    });
    return layerOf(digest, size);
  }
}

/** The compressed form there is of a plain layer; a collection keeps it as long as the layer. */
export function compressedForms(metadata: Metadata): (plain: Digest) => Digest | undefined {
  const { get } = prepare(metadata);
  return (plain) => (get.get(plain) as StoredRow | undefined)?.compressed_digest;
}

function layerOf(digest: Digest, size: number): ImageLayer {
  return { digest, size, mediaType: MediaType.ociLayerGzip };
}

function prepare({ db }: Metadata) {
  return {
    get: db.prepare('SELECT compressed_digest, compressed_size FROM compressed_layers WHERE digest = ?'),
    put: db.prepare('INSERT OR REPLACE INTO compressed_layers VALUES (?, ?, ?)'),
  };
}
