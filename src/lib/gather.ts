/** Gathers small pieces into pieces of `size` bytes, each a buffer of its own; the last may be shorter. */
export async function* gather(
  source: AsyncIterable<Buffer>,
  size: number,
): AsyncGenerator<Buffer, void, undefined> {
  let bytes = Buffer.allocUnsafe(size);
  let length = 0;
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      const copied = piece.copy(bytes, length, at);
      at += copied;
      length += copied;
      if (length < size) continue;
      yield bytes;
      bytes = Buffer.allocUnsafe(size);
      length = 0;
    }
  }
  if (length > 0) yield bytes.subarray(0, length);
}
