import { encodeTarEntry, type NewTarEntry, paddingOf, tarEnd } from '../../lib/tar/index.ts';
import { type Content, isRegion, type Region } from '../context/source-tree.ts';
import { RegionReader } from './region-reader.ts';

/** An entry of a layer being made; exactly `size` bytes of content belong to a file. */
export interface LayerEntry {
  readonly header: NewTarEntry;
  readonly content?: () => Content;
}

const batchSize = 256 << 10;

/** Writes entries as a tar in large pieces; equal entries give equal bytes. */
export async function* layerTar(
  entries: Iterable<LayerEntry> | AsyncIterable<LayerEntry>,
): AsyncGenerator<Buffer, void, undefined> {
  const batch = new Batch();
  for await (const { header, content } of entries) {
    yield* batch.add(encodeTarEntry(header));
    const body = content?.();
    if (body === undefined) continue;
    if (Buffer.isBuffer(body)) yield* batch.add(body);
    else if (isRegion(body)) yield* batch.fill(body);
    else for await (const chunk of body) yield* batch.add(chunk);
    yield* batch.zeros(paddingOf(header.size ?? 0));
  }
  yield* batch.add(tarEnd);
  yield* batch.end();
}

/** Gathers small pieces into large buffers, each its own. */
class Batch {
  #bytes = Buffer.allocUnsafe(batchSize);
  #length = 0;
  readonly #regions = new RegionReader();

  *add(piece: Buffer): Generator<Buffer, void, undefined> {
    for (let at = 0; at < piece.length; ) {
      const copied = piece.copy(this.#bytes, this.#length, at);
      at += copied;
      yield* this.#advance(copied);
    }
  }

  /** Reads a region straight into place. */
  *fill(region: Region): Generator<Buffer, void, undefined> {
    for (let at = 0; at < region.size; ) {
      const length = Math.min(region.size - at, batchSize - this.#length);
      this.#regions.read({ ...region, offset: region.offset + at, size: length }, this.#bytes, this.#length);
      at += length;
      yield* this.#advance(length);
    }
  }

  /** At most one block. */
  *zeros(count: number): Generator<Buffer, void, undefined> {
    for (let left = count; left > 0; ) {
      const length = Math.min(left, batchSize - this.#length);
      this.#bytes.fill(0, this.#length, this.#length + length);
      left -= length;
      yield* this.#advance(length);
    }
  }

  *end(): Generator<Buffer, void, undefined> {
    if (this.#length > 0) yield this.#bytes.subarray(0, this.#length);
    this.#length = 0;
  }

  *#advance(length: number): Generator<Buffer, void, undefined> {
    this.#length += length;
    if (this.#length < batchSize) return;
    yield this.#bytes;
    this.#bytes = Buffer.allocUnsafe(batchSize);
    this.#length = 0;
  }
}
