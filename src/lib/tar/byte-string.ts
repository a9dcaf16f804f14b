declare const brand: unique symbol;

/**
 * Bytes as a string of one character (U+0000 to U+00FF) a byte. File names need not be UTF-8; in this form they
 * survive unchanged, serve as map keys, and compare and sort as their bytes do.
 */
export type ByteString = string & { readonly [brand]: 'ByteString' };

/** The UTF-8 bytes of ordinary text. */
export function byteString(text: string): ByteString {
  return (isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1')) as ByteString;
}

/** Ordinary text again; bytes that are not UTF-8 become U+FFFD, so use it to show names, not to open files. */
export function textOf(bytes: string): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

/** The bytes themselves, e.g. as a path for `node:fs`, which takes a Buffer. */
export function bufferOf(bytes: string): Buffer {
  return Buffer.from(bytes, 'latin1');
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
