import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { RequestListener, Server, ServerOptions } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Engine } from '../engine/index.ts';
import { MemoryTrimmer } from '../lib/trim-memory.ts';
import { createApp } from './app.ts';
import { Calls } from './calls.ts';
import { bind, parseHost, type TlsFiles } from './listen.ts';
import { routeUpgrade, shouldUpgrade } from './upgrade.ts';

// An import of node:http as an ES module would load all of its names, and with them Node's web sockets and fetch.
const { createServer } = process.getBuiltinModule('node:http');

/** Milliseconds that requests in flight get at shutdown. */
const graceMs = 3_000;

const serverOptions = {
  // A build's context may take any time; only the headers have a limit.
  requestTimeout: 0,
  headersTimeout: 60_000,
  // As dockerd: an idle client keeps its connection.
  keepAliveTimeout: 0,
  // Build arguments stand in the URL, credentials of every registry in a header.
  maxHeaderSize: 1 << 20,
  shouldUpgradeCallback: shouldUpgrade,
} satisfies ServerOptions & { readonly shouldUpgradeCallback: unknown };

/** The Docker Engine API over one engine. Disposing it closes it; the engine is its owner's to shut down. */
export interface HttpServer extends AsyncDisposable {
  /**
   * Serves `unix:///PATH` (mode 0660, group docker if there is one) or `tcp://ADDRESS:PORT`; may be called for
   * several hosts. Resolves with the host, its port filled in. Rejects with `conflict` when it is taken.
   */
  listen(host: string, tls?: TlsFiles): Promise<string>;
  /** Stops listening, ends streams and attached clients, waits shortly for the requests in flight. */
  close(): Promise<void>;
}

export function createHttpServer(options: { readonly engine: Engine; readonly logger: Logger }): HttpServer {
  const log = options.logger.child({ area: 'http' });
  const calls = new Calls();
  const app = createApp({ engine: options.engine, calls }, log);
  const servers = new Set<Server>();
  const trimmer = new MemoryTrimmer();
  let closing = false;
  const route: RequestListener = (request, response) => {
    response.once('close', () => {
      trimmer.used();
      // A connection kept alive for a next request is in the way of closing.
      if (closing) for (const server of servers) server.closeIdleConnections();
    });
    app.routing(request, response);
  };

  const onUpgrade = (raw: Parameters<RequestListener>[0], socket: Duplex, head: Buffer) => {
    socket.on('error', (error) => {
      log.debug({ err: error }, 'a connection that was taken over failed');
    });
    routeUpgrade(raw, { socket, head }, route).catch((error: unknown) => {
      log.debug({ err: error }, 'an upgrade request was incomplete');
      socket.destroy();
    });
  };

  const listen = async (host: string, tls?: TlsFiles) => {
    const address = parseHost(host, tls !== undefined);
    await app.ready();
    const server = tls === undefined ? createServer(serverOptions, route) : await createTlsServer(tls, route);
    server.on('upgrade', onUpgrade);
    const bound = await bind(server, address);
    servers.add(server);
    trimmer.used();
    log.info({ host: bound }, 'listening');
    return bound;
  };

  const close = async () => {
    closing = true;
    const closed = [...servers].map((server) => closeServer(server));
    calls.endAll();
    await Promise.all(closed);
    servers.clear();
    await app.close();
  };

  return { listen, close, [Symbol.asyncDispose]: close };
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const timer = setTimeout(() => {
    server.closeAllConnections();
  }, graceMs);
  try {
    await closed;
  } finally {
    clearTimeout(timer);
  }
}

async function createTlsServer(files: TlsFiles, route: RequestListener): Promise<Server> {
  const https = await import('node:https');
  return https.createServer({ ...serverOptions, ...(await tlsOptions(files)) }, route);
}

async function tlsOptions(files: TlsFiles) {
  const [cert, key, ca] = await Promise.all([
    readFile(files.cert),
    readFile(files.key),
    files.ca === undefined ? undefined : readFile(files.ca),
  ]);
  return {
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    requestCert: files.verify,
    rejectUnauthorized: files.verify,
    minVersion: 'TLSv1.2',
    allowHalfOpen: true,
  } as const;
}
