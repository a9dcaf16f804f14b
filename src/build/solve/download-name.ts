import { posix } from 'node:path';
import type { ByteString } from '../../lib/tar/index.ts';

/**
 * How a download is called, as Docker finds it: by the last part of the URL's path, without one by the answer's
 * Content-Disposition; '' if neither tells.
 */
export function downloadName(url: string, headers: ReadonlyMap<string, string>): ByteString {
  const path = decoded(new URL(url).pathname);
  return lastPart(path) || lastPart(dispositionName(headers.get('content-disposition') ?? ''));
}

function lastPart(path: string): ByteString {
  if (path.endsWith('/')) return '' as ByteString;
  const name = posix.basename(path);
  const isName = name !== '.' && name !== '..' && !name.includes('\0');
  return (isName ? name : '') as ByteString;
}

const parameter = /;\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/g;
const extended = /^(?:utf-8|us-ascii)'[^']*'(.*)$/i;

/** Of `filename*` before `filename`; header values are byte strings. */
function dispositionName(disposition: string): string {
  const found = new Map<string, string>();
  for (const [, key = '', quoted, plain = ''] of disposition.matchAll(parameter)) {
    found.set(key.toLowerCase(), quoted === undefined ? plain : quoted.replaceAll(/\\(.)/g, '$1'));
  }
  const encoded = extended.exec(found.get('filename*') ?? '')?.[1];
  return encoded === undefined ? (found.get('filename') ?? '') : decoded(encoded);
}

/** Percent-encoding undone, byte by byte. */
function decoded(text: string): string {
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
