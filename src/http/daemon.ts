import { once } from 'node:events';
import { type DestinationStream, pino } from 'pino';
import { completeSearchPath, type EngineOptions, engineConfig } from '../config/index.ts';
import { startEngine } from '../engine/index.ts';
import { adoptOrphans } from '../lib/orphans.ts';
import { createHttpServer, type TlsFiles } from './index.ts';

export interface DaemonOptions extends EngineOptions {
  /** `unix:///PATH` or `tcp://ADDRESS:PORT`; at least one. */
  readonly hosts: readonly string[];
  readonly tls?: TlsFiles;
  /** As the logger calls it: what is less grave is not written. */
  readonly logLevel: string;
}

/** What it does not take, its terminal gone or its disk full, ends no daemon; the last MiB of that is kept for later. */
function standardError(): DestinationStream {
  const destination = pino.destination({ dest: 2, sync: true, maxLength: 1 << 20 });
  return destination.on('error', () => undefined);
}

/**
 * Runs an engine and its HTTP servers until SIGTERM or SIGINT. Logs JSON lines to standard error.
 * Rejects, with everything undone, when it cannot start.
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  // What is bound into containers, and new volumes, are for the containers' users to read.
  process.umask(0o022);
  completeSearchPath();
  adoptOrphans();
  const config = engineConfig({ ...options, adoptsOrphans: true });
  const logger = pino({ level: options.logLevel, base: null }, standardError());
  const ended = new AbortController();
  // A signal during start-up must not leave half an engine: it waits until there is one to shut down.
  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal }, 'shutting down');
    ended.abort();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  process.on('SIGHUP', () => {
    logger.warn('the configuration is read when the daemon starts: SIGHUP changes nothing');
  });
  await using engine = await startEngine(config, logger);
  await using server = createHttpServer({ engine, logger });
  for (const host of options.hosts) await server.listen(host, options.tls);
  logger.info({ root: config.root, pid: process.pid }, 'ready');
  if (!ended.signal.aborted) await once(ended.signal, 'abort');
}
