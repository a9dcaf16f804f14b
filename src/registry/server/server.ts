import { once } from 'node:events';
import type { Server, ServerOptions, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { type SecureContextOptions, Server as TlsServer } from 'node:tls';
import { EngineError, hasErrno } from '../../errors/index.ts';
import { addressOf } from '../../lib/address-of.ts';

// As an ES import it would load far more (test/architecture.test.ts).
const { createServer: createHttpServer } = process.getBuiltinModule('node:http');

export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Only clients with a certificate of this authority may connect. */
  readonly ca?: Buffer;
}

export interface Timeouts {
  /** For the headers of a request, and for a TLS handshake. */
  readonly headersMs: number;
  /** A connection on which nothing moves, though the server waits for nobody but its client. */
  readonly idleMs: number;
  /** For requests under way when the server is asked to stop. */
  readonly drainMs: number;
}

type Handle = (...args: Parameters<Extract<Parameters<typeof createHttpServer>[1], object>>) => Promise<void>;

/** An HTTP(S) server that ends gracefully. Dispose drains it. */
export class RegistryServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #timeouts: Timeouts;
  readonly #open = new Set<ServerResponse>();
  #draining = false;

  constructor(options: {
    readonly handle: Handle;
    readonly timeouts: Timeouts;
    readonly tls?: TlsMaterial;
    /** A handler's failure, which is a defect. */
    readonly onDefect: (error: unknown) => void;
  }) {
    const { handle, timeouts, tls, onDefect } = options;
    const settings: ServerOptions = {
      headersTimeout: timeouts.headersMs,
      connectionsCheckingInterval: Math.min(timeouts.headersMs, 30_000) / 2,
      // An upload may take its time as long as it goes on.
      requestTimeout: 0,
      keepAliveTimeout: timeouts.idleMs,
      noDelay: true,
    };
    const listener: Parameters<typeof createHttpServer>[1] = (request, response) => {
      this.#open.add(response);
      response.once('close', () => this.#open.delete(response));
      if (this.#draining) response.setHeader('connection', 'close');
      // A connection that breaks says so here, and to whoever reads or writes it.
      request.on('error', () => undefined);
      response.on('error', () => undefined);
      // All of the request is here and no answer: it is the server that takes its time, over the sync of a large blob.
      response.on('timeout', (socket: Socket) => {
        if (!request.complete || response.headersSent) socket.destroy();
      });
      handle(request, response).catch((error: unknown) => {
        onDefect(error);
        response.destroy();
      });
    };
    this.#server =
      tls === undefined
        ? createHttpServer(settings, listener)
        : createHttpsServer(
            {
              ...settings,
              ...contextOf(tls),
              handshakeTimeout: timeouts.headersMs,
              ...(tls.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
            },
            listener,
          );
    this.#server.setTimeout(timeouts.idleMs);
    this.#timeouts = timeouts;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** New connections are shown this certificate. Throws when certificate and key do not belong together. */
  setTls(tls: TlsMaterial): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext(contextOf(tls));
  }

  /** Returns the address with the port that was chosen. */
  async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<string> {
    const address = await addressOf(host);
    const failed = Promise.withResolvers<never>();
    this.#server.once('error', failed.reject);
    this.#server.listen({ host: address, port });
    try {
      await Promise.race([once(this.#server, 'listening'), failed.promise]);
    } catch (error) {
      if (!hasErrno(error, 'EADDRINUSE')) throw error;
      throw new EngineError('conflict', `Cannot listen on ${host}:${port}: address already in use`, {
        cause: error,
      });
    } finally {
      this.#server.off('error', failed.reject);
    }
    const bound = this.#server.address();
    const chosen = typeof bound === 'object' && bound !== null ? bound.port : port;
    return `${host.includes(':') ? `[${host}]` : host}:${chosen}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    // Those under way end with their connections; of others there are no new ones.
    for (const response of this.#open) if (!response.headersSent) response.setHeader('connection', 'close');
    this.#server.close();
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => {
      this.#server.closeAllConnections();
    }, this.#timeouts.drainMs);
    await closed;
    clearTimeout(timer);
  }
}

function contextOf({ cert, key, ca }: TlsMaterial): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) };
}
