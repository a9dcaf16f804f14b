import { once } from 'node:events';
import { pino } from 'pino';
import { EngineError } from '../../errors/index.ts';
import { everybody } from './auth/authorizer.ts';
import { createApp } from './protocol/app.ts';
import { RegistryServer } from './server.ts';
import { openLocalStorage } from './storage/index.ts';

export interface ServeOptions {
  readonly root: string;
  /** ADDRESS:PORT. */
  readonly host: string;
}

/** Runs a registry until SIGTERM or SIGINT, then lets requests under way end. Logs JSON lines to standard error. */
export async function serveRegistry(options: ServeOptions): Promise<void> {
  const address = parseAddress(options.host);
  const logger = pino({ base: null }, pino.destination({ dest: 2, sync: true }));
  const ended = new AbortController();
  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal }, 'shutting down');
    ended.abort();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  await using storage = await openLocalStorage({ root: options.root });
  const handle = createApp({
    storage,
    authorizer: everybody,
    limits: { blobBytes: Number.MAX_SAFE_INTEGER, manifestBytes: 4 << 20, quotaOf: () => ({}) },
    patience: { bytesPerSecond: 1_024, windowMs: 30_000 },
    observe: ({ error, ...outcome }) => {
      logger.info({ ...outcome, ms: Math.round(outcome.ms) }, 'request');
      if (error !== undefined && error.status >= 500) logger.error({ err: error.cause }, error.message);
    },
  });
  await using server = new RegistryServer({
    handle,
    timeouts: { headersMs: 15_000, idleMs: 60_000, drainMs: 30_000 },
    onDefect: (err) => {
      logger.error({ err }, 'defect');
    },
  });
  const bound = await server.listen(address);
  logger.info({ root: options.root, address: bound, pid: process.pid }, 'ready');
  if (!ended.signal.aborted) await once(ended.signal, 'abort');
}

/** Parses ADDRESS:PORT; an address of IPv6 stands in brackets, none is every address. */
export function parseAddress(text: string): { readonly host: string; readonly port: number } {
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
