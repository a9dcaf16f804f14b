import type { FastifyInstance } from 'fastify';
import { EngineError } from '../../errors/index.ts';
import { defaultDetachKeys, parseDetachKeys } from '../../lib/detach-keys.ts';
import type { IdParams, RouteContext } from '../context.ts';
import { streamType } from '../frames.ts';
import { serveSession, takeOver } from '../hijack.ts';
import { queryOf } from '../query.ts';
import { sendLines, sendLog } from '../streams.ts';
import { asksForWebSocket, takeOverWebSocket } from '../websocket.ts';

/** A container's output, past and present: logs, stats, attach. */
export function streamRoutes(app: FastifyInstance, { engine, calls }: RouteContext): void {
  const { containers } = engine;

  app.get<IdParams>('/containers/:id/logs', async (request, reply) => {
    const query = queryOf(request);
    const stdout = query.flag('stdout');
    const stderr = query.flag('stderr');
    if (!stdout && !stderr) {
      throw new EngineError('invalidArgument', 'Bad parameters: you must choose at least one stream');
    }
    const tail = tailOf(query.text('tail'));
    const sinceNano = query.time('since');
    // Here, and here only, clients send 0 for none.
    const untilNano = query.time('until') || undefined;
    const log = await containers.logs(
      request.params.id,
      {
        stdout,
        stderr,
        follow: query.flag('follow'),
        timestamps: query.flag('timestamps'),
        details: query.flag('details'),
        ...(tail === undefined ? {} : { tail }),
        ...(sinceNano === undefined ? {} : { sinceNano }),
        ...(untilNano === undefined ? {} : { untilNano }),
      },
      calls.signalOf(request, reply),
    );
    await sendLog(reply, log, streamType(log.tty, request.api));
  });

  app.get<IdParams>('/containers/:id/stats', async (request, reply) => {
    const query = queryOf(request);
    const stream = query.flag('stream', true);
    const oneShot = query.flag('one-shot');
    if (stream && oneShot) {
      throw new EngineError('invalidArgument', 'cannot have stream=true and one-shot=true');
    }
    const signal = calls.signalOf(request, reply);
    const samples = containers.stats(request.params.id, { stream, oneShot }, signal)[Symbol.asyncIterator]();
    // The first sample before the headers: an unknown container is a 404.
    const first = await samples.next();
    await sendLines(reply, continued(first, samples), signal);
  });

  app.post<IdParams>('/containers/:id/attach', async (request, reply) => {
    const query = queryOf(request);
    const detachKeys = parseDetachKeys(query.optional('detachKeys') ?? defaultDetachKeys);
    const session = await containers.attach(request.params.id, {
      stdin: query.flag('stdin'),
      stdout: query.flag('stdout'),
      stderr: query.flag('stderr'),
      logs: query.flag('logs'),
      stream: query.flag('stream'),
    });
    const connection = takeOver(request, reply, {
      tty: session.tty,
      api: request.api,
      calls,
      bodyRead: false,
    });
    await serveSession(connection, session, { detachKeys, log: reply.log });
  });

  app.get<IdParams>('/containers/:id/attach/ws', async (request, reply) => {
    const query = queryOf(request);
    const detachKeys = parseDetachKeys(query.optional('detachKeys') ?? defaultDetachKeys);
    if (!asksForWebSocket(request.raw)) throw new EngineError('invalidArgument', 'not websocket protocol');
    // Before API 1.42 the streams could not be chosen.
    const chosen = (stream: string) => request.api < 42 || query.flag(stream);
    const session = await containers.attach(request.params.id, {
      stdin: chosen('stdin'),
      stdout: chosen('stdout'),
      stderr: chosen('stderr'),
      logs: query.flag('logs'),
      stream: query.flag('stream'),
    });
    const connection = await takeOverWebSocket(request, reply, calls);
    if (connection === undefined) await session[Symbol.asyncDispose]();
    else await serveSession(connection, session, { detachKeys, log: reply.log });
  });
}

/** Docker takes whatever is no count as "all". */
function tailOf(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

async function* continued<T>(first: IteratorResult<T>, rest: AsyncIterator<T>): AsyncGenerator<T> {
  try {
    for (let item = first; item.done !== true; item = await rest.next()) yield item.value;
  } finally {
    await rest.return?.();
  }
}
