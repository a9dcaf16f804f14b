import type { FastifyInstance, FastifyReply } from 'fastify';
import { EngineError } from '../../errors/index.ts';
import type { RouteContext } from '../context.ts';
import { summaryFor } from '../image-summary.ts';
import { withExpectedCommits } from '../old-clients.ts';
import { queryOf } from '../query.ts';

const dfTypes: readonly string[] = ['container', 'image', 'volume', 'build-cache'];

const pingHeaders = {
  'Builder-Version': '1',
  Swarm: 'inactive',
  'Cache-Control': 'no-cache, no-store, must-revalidate',
  Pragma: 'no-cache',
  'Content-Type': 'text/plain; charset=utf-8',
};

/** The engine itself. */
export function systemRoutes(app: FastifyInstance, { engine, calls }: RouteContext): void {
  const ping = async (reply: FastifyReply, body: string) => reply.headers(pingHeaders).send(body);
  app.get('/_ping', async (_request, reply) => ping(reply, 'OK'));
  app.head('/_ping', async (_request, reply) => ping(reply, ''));

  app.get('/info', async (request) => {
    const info = await engine.system.info();
    return request.api < 49 ? withExpectedCommits(info) : info;
  });
  app.get('/version', async () => engine.system.version());

  app.get('/system/df', async (request, reply) => {
    const types = queryOf(request).list('type');
    const unknown = types.find((type) => !dfTypes.includes(type));
    if (unknown !== undefined) throw new EngineError('invalidArgument', `unknown object type: ${unknown}`);
    const usage = await engine.system.diskUsage(types, calls.signalOf(request, reply));
    return { ...usage, Images: usage.Images?.map((image) => summaryFor(image, request.api)) ?? null };
  });
}
