import type { IncomingMessage, ServerResponse as Response } from 'node:http';
import type { Duplex } from 'node:stream';
import { EngineError } from '../errors/index.ts';

// As in server.ts: an ES import would load far more.
const { ServerResponse } = process.getBuiltinModule('node:http');

const key = Symbol('upgrade');
/** Most bytes of an upgrade request's own body (the JSON of exec start). */
const limit = 1 << 20;
const lastChunk = Buffer.from('0\r\n\r\n');

/** A request whose connection Node has let go of: what it reads next is not HTTP. */
export interface Upgrade {
  readonly socket: Duplex;
  readonly body: Buffer;
}

type Tagged = IncomingMessage & { [key]?: Upgrade };

export function upgradeOf(raw: IncomingMessage): Upgrade | undefined {
  return (raw as Tagged)[key];
}

const upgradable = /\/(?:attach|attach\/ws|exec\/[^/]+\/start)(?:\?|$)/;

/** Node's `shouldUpgradeCallback`: only the routes that can take over a connection do, all else is answered as usual. */
export function shouldUpgrade(raw: IncomingMessage): boolean {
  return upgradable.test(raw.url ?? '');
}

/**
 * Serves an upgrade request through the ordinary router: the response writes to the socket until a handler takes
 * the connection over. Bytes the client sent early stay readable on the socket.
 */
export async function routeUpgrade(
  raw: IncomingMessage,
  connection: { readonly socket: Duplex; readonly head: Buffer },
  route: (request: IncomingMessage, response: Response) => void,
): Promise<void> {
  const { socket } = connection;
  const head =
    raw.headers['transfer-encoding'] === undefined ? connection.head : afterLastChunk(connection.head);
  if (head.length > 0) socket.unshift(head);
  const body = await readExactly(socket, Number(raw.headers['content-length'] ?? 0));
  (raw as Tagged)[key] = { socket, body };
  const response = new ServerResponse(raw);
  response.shouldKeepAlive = false;
  // A socket's type is Duplex here, but Node's server hands out its own net.Socket or tls.TLSSocket.
  response.assignSocket(socket as Parameters<Response['assignSocket']>[0]);
  response.once('finish', () => {
    response.detachSocket(socket as Parameters<Response['assignSocket']>[0]);
    socket.end();
  });
  route(raw, response);
}

/** Some clients announce a chunked body on an upgrade and send it empty. */
function afterLastChunk(head: Buffer): Buffer {
  return head.subarray(0, lastChunk.length).equals(lastChunk) ? head.subarray(lastChunk.length) : head;
}

async function readExactly(socket: Duplex, size: number): Promise<Buffer> {
  if (size === 0) return Buffer.alloc(0);
  if (!(size <= limit)) {
    throw new EngineError('invalidArgument', `the request body is larger than ${limit} bytes`);
  }
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let received = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    if (received.length < size) return;
    // In this very call, before the socket can see its end: what is left belongs to whoever reads next.
    socket.off('data', onData).pause();
    if (received.length > size) socket.unshift(received.subarray(size));
    resolve(received.subarray(0, size));
  };
  const onGone = () => {
    reject(new EngineError('cancelled', 'the client closed the connection within its request'));
  };
  socket.on('data', onData).once('end', onGone).once('close', onGone);
  try {
    return await promise;
  } finally {
    socket.off('data', onData).off('end', onGone).off('close', onGone);
  }
}
