import { createHash } from 'node:crypto';
import type { HttpGet } from '../../lib/http-get.ts';
import { openNameless } from '../../lib/nameless-file.ts';
import { type ByteString, byteString } from '../../lib/tar/index.ts';
import { writeAll } from '../../lib/write-all.ts';
import type { Content, SourceTree, TreeEntry } from '../context/source-tree.ts';
import { downloadName } from './download-name.ts';

const secondNs = 1_000_000_000n;

/** A file fetched for ADD, as a tree with that one file. Disposing it removes the file. */
export interface Download extends AsyncDisposable {
  readonly tree: SourceTree;
  readonly entry: TreeEntry;
  /** '' if nothing tells it. */
  readonly name: ByteString;
}

export function isUrl(source: string): boolean {
  return /^https?:\/\//.test(source);
}

export function isGit(source: string): boolean {
  return /^(?:git@|git:\/\/|ssh:\/\/)|^https?:\/\/.+\.git(?:[#?].*)?$/.test(source);
}

/** Fetches into a nameless file in `temporary`. Rejects in Docker's words, without "ADD failed". */
export async function download(
  url: string,
  {
    httpGet,
    temporary,
    signal,
  }: { readonly httpGet: HttpGet; readonly temporary: string; readonly signal: AbortSignal },
): Promise<Download> {
  const response = await httpGet(url, signal);
  const file = await openNameless(temporary);
  try {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      hash.update(chunk);
      await writeAll(file, chunk, size);
      size += chunk.length;
    }
    const digest = hash.digest('hex');
    const modified = Date.parse(response.headers.get('last-modified') ?? '');
    const entry: TreeEntry = {
      path: byteString('download'),
      type: 'file',
      mode: 0o600,
      uid: 0,
      gid: 0,
      size,
      mtimeNs: Number.isNaN(modified) ? 0n : BigInt(Math.floor(modified / 1000)) * secondNs,
      linkPath: '' as ByteString,
      deviceMajor: 0,
      deviceMinor: 0,
      attributes: new Map(),
    };
    const read = (): Content =>
      file.createReadStream({ start: 0, autoClose: false }) as AsyncIterable<Buffer>;
    return {
      tree: {
        ownedByRoot: true,
        stat: async () => entry,
        children: async () => [],
        digest: async () => digest,
        read,
      },
      entry,
      name: downloadName(url, response.headers),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
