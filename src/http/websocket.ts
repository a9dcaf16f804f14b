import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Calls } from './calls.ts';
import type { Connection } from './hijack.ts';
import { upgradeOf } from './upgrade.ts';

const longestMessage = 16 << 20;

/** Whether a request asks for a WebSocket, on a connection that Node has let go of. */
export function asksForWebSocket(raw: IncomingMessage): boolean {
  return upgradeOf(raw) !== undefined && /^websocket$/i.test(raw.headers.upgrade ?? '');
}

/**
 * Answers a request for a WebSocket: output goes in binary messages without frames, each message that comes is input.
 * A bad handshake is answered with its status and ends as a connection that is gone. The library is loaded for the first.
 */
export async function takeOverWebSocket(
  request: FastifyRequest,
  reply: FastifyReply,
  calls: Calls,
): Promise<Connection | undefined> {
  const { createWebSocketStream, WebSocketServer } = await import('ws');
  const upgrade = upgradeOf(request.raw);
  if (upgrade === undefined) return undefined;
  const { socket } = upgrade;
  const closed = calls.signalOf(request, reply);
  reply.hijack();
  reply.raw.removeAllListeners('finish');
  reply.raw.detachSocket(socket as Parameters<typeof reply.raw.detachSocket>[0]);
  calls.track(socket);
  const server = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: longestMessage });
  const { promise, resolve } = Promise.withResolvers<Duplex | undefined>();
  socket.once('close', () => {
    resolve(undefined);
  });
  server.handleUpgrade(request.raw, socket, Buffer.alloc(0), (webSocket) => {
    resolve(createWebSocketStream(webSocket));
  });
  const stream = await promise;
  if (stream === undefined) return undefined;
  stream.on('error', () => {
    // The client went away, or sent what is no WebSocket message.
    socket.destroy();
  });
  return { input: stream, output: stream, raw: true, closed };
}
