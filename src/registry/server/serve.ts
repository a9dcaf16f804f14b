import { once } from 'node:events';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { EngineError } from '../../errors/index.ts';
import { readRegistryConfig } from './config/read-config.ts';
import type { RegistryConfig } from './config/registry-config.ts';
import { createRegistry, type Registry, readTls } from './create-registry.ts';
import { RegistryServer } from './server.ts';
import { openLocalStorage } from './storage/index.ts';

export interface ServeOptions {
  readonly root: string;
  /** ADDRESS:PORT. */
  readonly host: string;
  /** Path of a configuration file. */
  readonly config?: string;
}

/**
 * Runs a registry until SIGTERM or SIGINT, then lets requests under way end. SIGHUP has it read its certificate and key
 * again, for connections from then on. Logs JSON lines to standard error. Rejects when it cannot start.
 */
export async function serveRegistry(options: ServeOptions): Promise<void> {
  const address = parseAddress(options.host);
  const config = await readRegistryConfig(options.config);
  const logger = pino({ base: null, level: config.log.level }, pino.destination({ dest: 2, sync: true }));
  const ended = new AbortController();
  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal }, 'shutting down');
    ended.abort();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  await using storage = await openLocalStorage({ root: options.root });
  await using registry = await createRegistry({
    config,
    storage,
    logger,
    keyPath: join(options.root, 'token-key.pem'),
    isDraining: () => ended.signal.aborted,
  });
  const tls = await readTls(config);
  const onDefect = (err: unknown) => {
    logger.error({ err }, 'defect');
  };
  await using server = new RegistryServer({
    handle: (request, response) => registry.handle(request, response),
    timeouts: config.timeouts,
    onDefect,
    ...(tls === undefined ? {} : { tls }),
  });
  const reload = async () => {
    const material = await readTls(config);
    if (material === undefined) return;
    server.setTls(material);
    logger.info('the certificate was read again');
  };
  process.on('SIGHUP', () => {
    reload().catch((err: unknown) => {
      logger.error({ err }, 'cannot read the certificate again; the one before stays');
    });
  });
  await using _metrics = await serveMetrics(registry, { config, logger, onDefect });
  const bound = await server.listen(address);
  logger.info({ root: options.root, address: bound, tls: tls !== undefined, pid: process.pid }, 'ready');
  if (!ended.signal.aborted) await once(ended.signal, 'abort');
}

/** Metrics at an address of their own, where the configuration names one. */
async function serveMetrics(
  { metrics }: Registry,
  context: {
    readonly config: RegistryConfig;
    readonly logger: Logger;
    readonly onDefect: (error: unknown) => void;
  },
): Promise<AsyncDisposable | undefined> {
  const { config, logger, onDefect } = context;
  if (config.metrics.host === undefined) return undefined;
  const server = new RegistryServer({
    timeouts: config.timeouts,
    onDefect,
    handle: async (request, response) => {
      const found = request.url === '/metrics';
      response.writeHead(found ? 200 : 404, { 'content-type': metrics.contentType });
      response.end(found ? await metrics.text() : '');
    },
  });
  logger.info({ address: await server.listen(parseAddress(config.metrics.host)) }, 'metrics');
  return server;
}

/** Parses ADDRESS:PORT; an address of IPv6 stands in brackets, none is every address. */
function parseAddress(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:tcp:\/\/)?(?:\[([0-9a-fA-F:]+)\]|([^:/[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new EngineError(
      'invalidArgument',
      `invalid host ${JSON.stringify(text)}: ADDRESS:PORT is expected`,
    );
  }
  return { host: match[1] ?? (match[2] || '::'), port };
}
