import type { IncomingMessage } from 'node:http';
import { RegistryError } from './registry-error.ts';

export interface Patience {
  /** The pace a client has to keep over each window of waiting for it. */
  readonly bytesPerSecond: number;
  readonly windowMs: number;
}

/**
 * The bytes of a request. A client that sends less than `patience` asks for is told so with 408; time in which we did
 * not read does not count. Leaving early leaves the connection open, so that an answer still gets through.
 */
export async function* bodyOf(request: IncomingMessage, patience: Patience): AsyncGenerator<Buffer> {
  let waitedMs = 0;
  let received = 0;
  let asked = performance.now();
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    waitedMs += performance.now() - asked;
    received += chunk.length;
    if (waitedMs >= patience.windowMs) {
      if (received * 1_000 < waitedMs * patience.bytesPerSecond) {
        throw new RegistryError('BLOB_UPLOAD_INVALID', 'the client sends too slowly', { status: 408 });
      }
      waitedMs = 0;
      received = 0;
    }
    yield chunk;
    asked = performance.now();
  }
}
