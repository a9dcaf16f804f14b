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

/** For a client that goes on sending what nobody wants, after its answer. */
const drainMs = 30_000;

/**
 * Lets the rest of a request's body run out unread, so that its answer gets through and the connection can be used
 * again. Node does so by itself only for a body of which nothing was read.
 */
export function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  const timer = setTimeout(() => request.destroy(), drainMs);
  request.once('close', () => {
    clearTimeout(timer);
  });
  request.resume();
}
