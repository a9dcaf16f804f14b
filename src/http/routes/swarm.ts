import type { FastifyInstance } from 'fastify';
import { EngineError } from '../../errors/index.ts';
import type { RestParams } from '../context.ts';

const swarmGroups = ['swarm', 'services', 'nodes', 'tasks', 'secrets', 'configs'];

/** What this engine is not: a swarm manager or a host of plugins. */
export function swarmRoutes(app: FastifyInstance): void {
  for (const group of swarmGroups) {
    for (const url of [`/${group}`, `/${group}/*`]) {
      app.route({
        method: ['GET', 'POST', 'DELETE'],
        url,
        handler: async () => {
          throw notSwarmManager();
        },
      });
    }
  }

  app.get('/plugins', async () => []);
  app.route<RestParams>({
    method: ['GET', 'POST', 'DELETE'],
    url: '/plugins/*',
    handler: async (request) => {
      const name = request.params['*'].replace(/\/[^/]*$/, '');
      if (['pull', 'create', 'privileges'].includes(request.params['*'])) {
        throw new EngineError('notImplemented', 'plugins are not supported by this engine');
      }
      throw new EngineError('notFound', `plugin ${JSON.stringify(name)} not found`);
    },
  });
}

export function notSwarmManager(): EngineError {
  return new EngineError(
    'unavailable',
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
}
