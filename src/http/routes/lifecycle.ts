import type { FastifyInstance } from 'fastify';
import type { Containers, StopOptions, WaitCondition } from '../../container/index.ts';
import { codeOf, EngineError, messageOf } from '../../errors/index.ts';
import { bodyExpected, readObject } from '../body.ts';
import type { IdParams, RouteContext } from '../context.ts';
import { type Query, queryOf } from '../query.ts';
import { toReconfigureRequest } from '../reconfigure-body.ts';
import { begin } from '../streams.ts';

const conditions: readonly string[] = ['not-running', 'next-exit', 'removed'] satisfies WaitCondition[];
/** Clients once sent a HostConfig with start; an empty object is tolerated. */
const startBodyLimit = 7;

/** Moving a container between its states. */
export function lifecycleRoutes(app: FastifyInstance, { engine, calls }: RouteContext): void {
  const { containers } = engine;

  ownRoutes(app, containers);

  app.post<IdParams>('/containers/:id/start', async (request, reply) => {
    if (bodyExpected(request.raw) && !(Number(request.headers['content-length']) <= startBodyLimit)) {
      throw new EngineError(
        'invalidArgument',
        'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
      );
    }
    await containers.start(request.params.id);
    return reply.code(204).send();
  });

  app.post<IdParams>('/containers/:id/stop', async (request, reply) => {
    await containers.stop(request.params.id, stopOptions(queryOf(request)));
    return reply.code(204).send();
  });

  app.post<IdParams>('/containers/:id/restart', async (request, reply) => {
    await containers.restart(request.params.id, stopOptions(queryOf(request)));
    return reply.code(204).send();
  });

  app.post<IdParams>('/containers/:id/kill', async (request, reply) => {
    const { id } = request.params;
    try {
      await containers.kill(id, queryOf(request).optional('signal'));
    } catch (error) {
      throw new EngineError(codeOf(error), `cannot kill container: ${id}: ${messageOf(error)}`, {
        cause: error,
      });
    }
    return reply.code(204).send();
  });

  app.post<IdParams>('/containers/:id/pause', async (request, reply) => {
    await containers.pause(request.params.id);
    return reply.code(204).send();
  });

  app.post<IdParams>('/containers/:id/unpause', async (request, reply) => {
    await containers.unpause(request.params.id);
    return reply.code(204).send();
  });

  app.post<IdParams>('/containers/:id/wait', async (request, reply) => {
    const condition = queryOf(request).optional('condition') ?? 'not-running';
    if (!conditions.includes(condition)) {
      throw new EngineError('invalidArgument', `invalid condition: ${JSON.stringify(condition)}`);
    }
    const signal = calls.signalOf(request, reply);
    const { result } = await containers.wait(request.params.id, condition as WaitCondition, signal);
    const response = begin(reply, { 'Content-Type': 'application/json' });
    try {
      response.end(`${JSON.stringify(await result)}\n`);
    } catch (error) {
      // The headers are out: the result itself has to say it, unless nobody listens any more.
      if (signal.aborted) response.destroy();
      else response.end(`${JSON.stringify({ StatusCode: -1, Error: { Message: messageOf(error) } })}\n`);
    }
  });
}

/** Gantry's own: why each run ended, and changes of containers that exist. */
function ownRoutes(app: FastifyInstance, containers: Containers): void {
  app.get<IdParams>('/gantry/containers/:id/runs', async (request) => containers.runs(request.params.id));

  app.post<IdParams>('/gantry/containers/:id/reconfigure', async (request) => {
    const change = toReconfigureRequest(await readObject(request));
    const query = queryOf(request);
    const options = { dryRun: query.flag('dry-run'), stop: stopOptions(query) };
    return containers.reconfigure(request.params.id, change, options);
  });
}

function stopOptions(query: Query): StopOptions {
  const signal = query.optional('signal');
  const timeoutSeconds = query.integer('t');
  const deaf = query.optional('deaf');
  if (deaf !== undefined && deaf !== 'wait' && deaf !== 'kill') {
    throw new EngineError(
      'invalidArgument',
      `invalid deaf ${JSON.stringify(deaf)}: must be "wait" or "kill"`,
    );
  }
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    ...(deaf === undefined ? {} : { deaf }),
  };
}
