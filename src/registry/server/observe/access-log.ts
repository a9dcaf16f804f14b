import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { Outcome } from '../protocol/app.ts';

/** Writes a line for each request, and the cause of each failure of the registry's own. */
export function createAccessLog(logger: Logger, enabled: boolean) {
  return ({ error, ms, ...outcome }: Outcome, request: IncomingMessage): void => {
    if (enabled) {
      const remote = request.socket.remoteAddress;
      const agent = request.headers['user-agent'];
      const code = error?.registryCode;
      logger.info({ ...outcome, ms: Math.round(ms), remote, agent, code }, 'request');
    }
    if (error !== undefined && error.status >= 500) {
      const { method, path } = outcome;
      logger.error({ method, path, err: error.cause ?? error }, error.message);
    }
  };
}
