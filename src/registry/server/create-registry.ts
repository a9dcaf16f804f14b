import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { EngineError, messageOf } from '../../errors/index.ts';
import { createAuthentication } from './auth/create-authorizer.ts';
import type { RegistryConfig } from './config/registry-config.ts';
import { collectGarbage } from './gc/collect.ts';
import { startTimer } from './gc/timer.ts';
import { createAccessLog } from './observe/access-log.ts';
import { Metrics } from './observe/metrics.ts';
import { matchesAny } from './patterns.ts';
import { createApp } from './protocol/app.ts';
import type { Limits } from './protocol/limits.ts';
import { noOrigin, type Origin } from './protocol/origin.ts';
import { errorBody, RegistryError, registryErrorOf } from './protocol/registry-error.ts';
import type { TlsMaterial } from './server.ts';
import type { RegistryStorage } from './storage/index.ts';

export interface Registry extends AsyncDisposable {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  readonly metrics: Metrics;
}

export interface RegistryOptions {
  readonly config: RegistryConfig;
  readonly storage: RegistryStorage;
  /** Where an own key for tokens is kept. */
  readonly keyPath: string;
  readonly logger: Logger;
  /** The server is about to end: whoever balances load should look elsewhere. */
  readonly isDraining: () => boolean;
}

/** Wires a registry together. It listens nowhere by itself; dispose ends its background work. */
export async function createRegistry(options: RegistryOptions): Promise<Registry> {
  const { config, storage, keyPath, logger } = options;
  await using undo = new AsyncDisposableStack();
  const metrics = new Metrics();
  const { authorizer, tokenEndpoint } = await createAuthentication(config.auth, keyPath);
  const limits = limitsOf(config);
  const log = createAccessLog(logger, config.log.access);
  const origin = await createOrigin(options, limits, metrics);
  if (origin !== undefined) undo.use(origin);
  const app = createApp({
    storage,
    origin: origin ?? noOrigin,
    authorizer,
    limits,
    patience: { bytesPerSecond: config.timeouts.bytesPerSecond, windowMs: config.timeouts.paceWindowMs },
    observe: (outcome, request, response) => {
      metrics.end(outcome, request, response);
      log(outcome, request);
    },
  });
  const { everyMs } = config.gc;
  if (everyMs !== undefined) {
    const collect = async (signal: AbortSignal) => {
      const report = await collectGarbage(storage, { config: config.gc, signal });
      if (report === undefined) return;
      metrics.collected({ ...report });
      logger.info({ ...report }, 'garbage collected');
    };
    undo.use(
      startTimer(everyMs, collect, (err) => {
        logger.error({ err }, 'garbage collection failed');
      }),
    );
  }

  const health = async (response: ServerResponse) => {
    if (options.isDraining()) throw new EngineError('unavailable', 'the registry is shutting down');
    await storage.upkeep.check();
    send(response, 200, 'application/json', '{"status":"ok"}');
  };
  const token = async (request: IncomingMessage, response: ServerResponse) => {
    if (tokenEndpoint === undefined) throw new RegistryError('NAME_UNKNOWN', 'page not found');
    if (request.method !== 'GET' && request.method !== 'POST') {
      throw new RegistryError('UNSUPPORTED', `${request.method} is not supported here`);
    }
    response.setHeader('cache-control', 'no-store');
    send(response, 200, 'application/json', JSON.stringify(await tokenEndpoint(request)));
  };
  const serveMetrics = async (response: ServerResponse) => {
    // Not behind a login, so not beside one: metrics.host gives them an address of their own.
    if (config.auth !== undefined) throw new RegistryError('NAME_UNKNOWN', 'page not found');
    send(response, 200, metrics.contentType, await metrics.text());
  };

  const disposables = undo.move();
  return {
    metrics,
    handle: async (request, response) => {
      const path = request.url?.split('?', 1)[0];
      try {
        if (path === '/healthz') return await health(response);
        if (path === '/token') return await token(request, response);
        if (path === '/metrics') return await serveMetrics(response);
      } catch (error) {
        const told = registryErrorOf(error);
        if (told.status >= 500) logger.error({ err: error, path }, told.message);
        return send(response, told.status, 'application/json', errorBody(told));
      }
      metrics.begin();
      return app(request, response);
    },
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
}

/** Caches load a registry client, which a registry without them does not need. */
async function createOrigin(
  { config, storage }: RegistryOptions,
  limits: Limits,
  metrics: Metrics,
): Promise<(Origin & AsyncDisposable) | undefined> {
  if (config.caches.length === 0) return undefined;
  const { createPullThrough } = await import('./cache/create-pull-through.ts');
  return createPullThrough({
    caches: config.caches,
    stallMs: config.timeouts.idleMs,
    storage,
    limits,
    onUse: (kind, result) => {
      metrics.cache(kind, result);
    },
  });
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}

function limitsOf({ limits }: RegistryConfig): Limits {
  return {
    blobBytes: limits.blobBytes,
    manifestBytes: limits.manifestBytes,
    quotaOf: (repository) => {
      const found = limits.quotas.find(({ repositories }) => matchesAny(repositories, repository));
      return found === undefined ? {} : { repositoryBytes: found.bytes };
    },
  };
}

/** Rejects with `invalidArgument` naming the file that cannot be read. */
export async function readTls({ tls }: RegistryConfig): Promise<TlsMaterial | undefined> {
  if (tls === undefined) return undefined;
  const read = async (path: string) => {
    try {
      return await readFile(path);
    } catch (error) {
      throw new EngineError('invalidArgument', `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
    }
  };
  return {
    cert: await read(tls.cert),
    key: await read(tls.key),
    ...(tls.clientCa === undefined ? {} : { ca: await read(tls.clientCa) }),
  };
}
