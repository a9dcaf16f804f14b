import { encodeTarEntry, type NewTarEntry, paddingOf, tarEnd } from '../../lib/tar/index.ts';
import type { Content } from '../context/source-tree.ts';

/** An entry of a layer being made; exactly `size` bytes of content belong to a file. */
export interface LayerEntry {
  readonly header: NewTarEntry;
  readonly content?: () => Content;
}

const batchSize = 256 << 10;
const zeros = Buffer.alloc(512);

/** Writes entries as a tar in large pieces; equal entries give equal bytes. */
export async function* layerTar(
  entries: Iterable<LayerEntry> | AsyncIterable<LayerEntry>,
): AsyncGenerator<Buffer, void, undefined> {
  let batch: Buffer[] = [];
  let length = 0;
  const flush = () => {
    const [only] = batch;
    const bytes = batch.length === 1 && only !== undefined ? only : Buffer.concat(batch, length);
    batch = [];
    length = 0;
    return bytes;
  };
  const add = (bytes: Buffer) => {
    batch.push(bytes);
    length += bytes.length;
    return length >= batchSize;
  };
  for await (const { header, content } of entries) {
    add(encodeTarEntry(header));
    const body = content?.();
    if (body !== undefined) {
      if (Buffer.isBuffer(body)) {
        if (add(body)) yield flush();
      } else {
        for await (const chunk of body) if (add(chunk)) yield flush();
      }
      const padding = paddingOf(header.size ?? 0);
      if (padding > 0) add(zeros.subarray(0, padding));
    }
    if (length >= batchSize) yield flush();
  }
  add(tarEnd);
  yield flush();
}
