import type { FastifyInstance } from 'fastify';
import type { Session } from '../../container/index.ts';
import { codeOf, EngineError, messageOf } from '../../errors/index.ts';
import { defaultDetachKeys, parseDetachKeys } from '../../lib/detach-keys.ts';
import { readObject } from '../body.ts';
import type { IdParams, RouteContext } from '../context.ts';
import { toExecRequest } from '../create-body.ts';
import { type Connection, closeConnection, endWithText, serveSession, takeOver } from '../hijack.ts';
import { queryOf } from '../query.ts';
import { sizeOf } from './containers.ts';

/** Further commands in a running container. */
export function execRoutes(app: FastifyInstance, { engine, calls }: RouteContext): void {
  const { containers } = engine;

  app.post<IdParams>('/containers/:id/exec', async (request, reply) => {
    const exec = toExecRequest(await readObject(request));
    if (exec.Cmd === undefined || exec.Cmd.length === 0) {
      throw new EngineError('invalidArgument', 'No exec command specified');
    }
    if (exec.DetachKeys !== undefined && exec.DetachKeys !== '') parseDetachKeys(exec.DetachKeys);
    return reply.code(201).send(await containers.execCreate(request.params.id, exec));
  });

  app.get<IdParams>('/exec/:id/json', async (request) => containers.execInspect(request.params.id));

  app.post<IdParams>('/exec/:id/resize', async (request) => {
    await containers.execResize(request.params.id, sizeOf(queryOf(request)));
    return '';
  });

  app.post<IdParams>('/exec/:id/start', async (request, reply) => {
    const body = await readObject(request);
    const detach = body['Detach'] === true;
    const tty = body['Tty'] === true;
    const consoleSize = tty && request.api >= 42 ? consoleSizeOf(body['ConsoleSize']) : undefined;
    const options = { detach, tty, ...(consoleSize === undefined ? {} : { consoleSize }) };
    const exec = containers.execInspect(request.params.id);
    // Docker frames the output unless the client says at the start that there is a terminal.
    const startOver = { tty, api: request.api, calls, bodyRead: true };

    let taken: Connection | undefined;
    const connect = () => (taken ??= takeOver(request, reply, startOver));
    let session: Session | undefined;
    try {
      // The headers go before the first output can: docker-py loses what arrives together with them.
      session = await containers.execStart(
        request.params.id,
        detach ? options : { ...options, onRun: connect },
      );
    } catch (error) {
      // Docker has taken the connection over by the time the command fails to start; clients then read its exit code.
      if (taken === undefined && (detach || !startedTrying(error))) throw error;
      endWithText(connect(), messageOf(error));
      return;
    }
    if (session === undefined) {
      if (taken === undefined) await reply.code(200).send('');
      else closeConnection(taken);
      return;
    }
    const connection = connect();
    const detachKeys = parseDetachKeys(exec.DetachKeys || defaultDetachKeys);
    await serveSession(connection, session, { detachKeys, log: reply.log });
  });
}

function startedTrying(error: unknown): boolean {
  return !['notFound', 'conflict', 'cancelled'].includes(codeOf(error));
}

function consoleSizeOf(value: unknown): readonly [number, number] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || value.length !== 2 || !value.every((side) => Number.isInteger(side))) {
    throw new EngineError('invalidArgument', 'invalid JSON: ConsoleSize must be [height, width]');
  }
  return [value[0] as number, value[1] as number];
}
