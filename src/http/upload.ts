import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/**
 * Gives the body of a request to someone who may leave it at any byte. The rest is read all the same: some clients read
 * no answer before they have sent all, and others send their next request over the same connection.
 */
export async function withUpload<T>(
  request: IncomingMessage,
  take: (body: Readable) => Promise<T>,
): Promise<T> {
  const body = Readable.from(bytesOf(request), { objectMode: false });
  body.on('error', () => undefined); // Whoever reads gets it; just now that may be nobody.
  // A request flows only once the iterator is done with it.
  body.once('close', () => request.resume());
  try {
    return await take(body);
  } finally {
    body.destroy();
  }
}

/** Node destroys a request that a reader leaves, and then takes nothing more from its connection. */
async function* bytesOf(request: IncomingMessage): AsyncGenerator<Buffer> {
  for await (const chunk of request.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
}
