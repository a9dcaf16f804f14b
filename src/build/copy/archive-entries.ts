import { Readable } from 'node:stream';
import { EngineError, isCode } from '../../errors/index.ts';
import { decompress } from '../../lib/decompress.ts';
import {
  type ByteString,
  blockSize,
  byteString,
  cleanPath,
  readTar,
  TarParser,
  type TarPart,
  textOf,
} from '../../lib/tar/index.ts';
import { type Content, chunksOf, joinPath } from '../context/source-tree.ts';
import { type CopyTarget, parentOf } from './copy-entries.ts';
import type { LayerEntry } from './layer-tar.ts';

/** Whether a content is a tar, compressed or not, told by its first block. */
export async function isArchive(content: Content): Promise<boolean> {
  const source = streamOf(content);
  try {
    const { stream } = await decompress(source);
    let head: Buffer = Buffer.alloc(0);
    for await (const chunk of stream) {
      head = Buffer.concat([head, chunk as Buffer]);
      if (head.length >= blockSize) break;
    }
    if (head.length < blockSize) return false;
    const [part] = new TarParser().push(head.subarray(0, blockSize));
    return part?.kind !== 'end';
  } catch (error) {
    if (isCode(error, 'invalidArgument')) return false;
    throw error;
  } finally {
    source.destroy();
  }
}

/**
 * The layer that unpacking an archive below the destination gives.
 * Rejects with `invalidArgument` for a damaged archive and an entry that leaves the destination.
 */
export async function* archiveEntries(
  content: Content,
  target: CopyTarget,
): AsyncGenerator<LayerEntry, void, undefined> {
  const { destination } = target;
  const root = await destination.resolve(byteString(target.path));
  const fresh = { mode: 0o755, owner: target.owner ?? { uid: 0, gid: 0 }, mtimeNs: target.mtimeNs };
  yield* await destination.directory(root, fresh);
  const { stream } = await decompress(streamOf(content));
  const parts = readTar(stream as AsyncIterable<Buffer>);
  for await (const part of { [Symbol.asyncIterator]: () => parts }) {
    if (part.kind !== 'entry') continue;
    const { entry } = part;
    const path = pathOf(entry.path);
    if (path === '') continue;
    const parent = await destination.resolve(joinPath(root, parentOf(path)));
    yield* await destination.directory(parent, fresh);
    const at = joinPath(parent, path.slice(path.lastIndexOf('/') + 1) as ByteString);
    const owner = target.owner ?? { uid: entry.uid, gid: entry.gid };
    if (entry.type === 'directory') {
      const real = await destination.resolve(at);
      yield* await destination.merged(real, { mode: entry.mode, owner, mtimeNs: entry.mtimeNs });
      continue;
    }
    const linkPath =
      entry.type === 'link'
        ? await destination.resolve(joinPath(root, pathOf(entry.linkPath)))
        : entry.linkPath;
    const header = { ...entry, ...owner, path: at, linkPath };
    yield entry.type === 'file' ? { header, content: () => dataOf(parts, entry.size) } : { header };
  }
}

function pathOf(written: ByteString): ByteString {
  const path = cleanPath(written);
  if (path === undefined || path.slice(path.lastIndexOf('/') + 1).startsWith('.wh.')) {
    throw new EngineError(
      'invalidArgument',
      `Refusing the archive: ${JSON.stringify(textOf(written))} has a name that cannot be unpacked`,
    );
  }
  return path;
}

/** The content of the entry just read, copied: the parser's pieces live only until its next one. */
async function* dataOf(
  parts: AsyncGenerator<TarPart, void, undefined>,
  size: number,
): AsyncGenerator<Buffer> {
  for (let left = size; left > 0; ) {
    const { value, done } = await parts.next();
    if (done === true || value.kind !== 'data') {
      throw new EngineError('invalidArgument', 'unexpected EOF: the archive is cut off');
    }
    left -= value.bytes.length;
    yield Buffer.from(value.bytes);
  }
}

function streamOf(content: Content): Readable {
  return Readable.from(chunksOf(content), { objectMode: false });
}
