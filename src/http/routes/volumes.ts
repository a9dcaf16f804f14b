import type { FastifyInstance } from 'fastify';
import type { Filters } from '../../api/index.ts';
import { readObject } from '../body.ts';
import type { NameParams, RouteContext } from '../context.ts';
import { labels, readFields, type StructKind } from '../json-fields.ts';
import { queryOf } from '../query.ts';
import { notSwarmManager } from './swarm.ts';

const createOptions: StructKind = {
  struct: 'CreateOptions',
  fields: { Name: 'string', Driver: 'string', DriverOpts: labels, Labels: labels },
};

export function volumeRoutes(app: FastifyInstance, { engine }: RouteContext): void {
  const { volumes } = engine;

  app.get('/volumes', async (request) =>
    volumes.list(queryOf(request).filters(['dangling', 'driver', 'label', 'name'])),
  );

  app.post('/volumes/create', async (request, reply) => {
    const options = readFields(await readObject(request), createOptions);
    return reply.code(201).send(await volumes.create(options));
  });

  app.post('/volumes/prune', async (request) => {
    const filters = queryOf(request).filters(['all', 'label', 'label!']);
    return volumes.prune(request.api < 42 ? withNamedOnes(filters) : filters);
  });

  app.get<NameParams>('/volumes/:name', async (request) => volumes.inspect(request.params.name));

  app.put<NameParams>('/volumes/:name', async () => {
    throw notSwarmManager();
  });

  app.delete<NameParams>('/volumes/:name', async (request, reply) => {
    await volumes.remove(request.params.name, { force: queryOf(request).flag('force') });
    return reply.code(204).send();
  });
}

/** Before API 1.42 a prune took named volumes too. */
function withNamedOnes(filters: Filters): Filters {
  return new Map([...filters, ['all', ['true']]]);
}
