import type { FastifyInstance } from 'fastify';
import { EngineError } from '../../errors/index.ts';
import { readObject } from '../body.ts';
import type { IdParams, RouteContext } from '../context.ts';
import { toCreateRequest, toHostConfig } from '../create-body.ts';
import { createRequestOf, withIdAmongAliases } from '../old-clients.ts';
import { type Query, queryOf } from '../query.ts';

const listFilters = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

/** Making, changing, showing and removing containers. */
export function containerRoutes(app: FastifyInstance, { engine }: RouteContext): void {
  const { containers } = engine;

  app.get('/containers/json', async (request) => {
    const query = queryOf(request);
    const limit = query.integer('limit');
    return containers.list({
      all: query.flag('all'),
      size: query.flag('size'),
      filters: query.filters(listFilters),
      ...(limit === undefined || limit <= 0 ? {} : { limit }),
    });
  });

  app.post('/containers/create', async (request, reply) => {
    const query = queryOf(request);
    const body = await readObject(request);
    if (Object.keys(body).length === 0) {
      throw new EngineError('invalidArgument', 'config cannot be empty in order to create a container');
    }
    const name = query.optional('name');
    const platform = query.platform();
    const asked = createRequestOf(toCreateRequest(body), request.api);
    const created = await containers.create(asked, {
      ...(name === undefined ? {} : { name }),
      ...(platform === undefined ? {} : { platform }),
      // Before API 1.44 a read-only bind was so for its own file system only.
      writableBelow: request.api < 44,
    });
    return reply.code(201).send(created);
  });

  app.post('/containers/prune', async (request) =>
    containers.prune(queryOf(request).filters(['label', 'label!', 'until'])),
  );

  app.get<IdParams>('/containers/:id/json', async (request) => {
    const container = containers.inspect(request.params.id, { size: queryOf(request).flag('size') });
    return request.api < 45 ? withIdAmongAliases(await container) : container;
  });

  app.get<IdParams>('/containers/:id/top', async (request) =>
    containers.top(request.params.id, queryOf(request).optional('ps_args') ?? '-ef'),
  );

  app.get<IdParams>('/containers/:id/changes', async (request, reply) => {
    const changes = await containers.changes(request.params.id);
    return reply.type('application/json').send(JSON.stringify(changes.length === 0 ? null : changes));
  });

  app.post<IdParams>('/containers/:id/rename', async (request, reply) => {
    const name = queryOf(request).text('name');
    if (name === '' || name === '/') {
      throw new EngineError('invalidArgument', 'Neither old nor new names may be empty');
    }
    await containers.rename(request.params.id, name);
    return reply.code(204).send();
  });

  app.post<IdParams>('/containers/:id/update', async (request) => {
    const change = toHostConfig(await readObject(request));
    // Until then clients could not leave it out: 0 was no change.
    if (request.api < 40) delete change['PidsLimit'];
    return containers.update(request.params.id, change);
  });

  app.post<IdParams>('/containers/:id/resize', async (request) => {
    await containers.resize(request.params.id, sizeOf(queryOf(request)));
    return '';
  });

  app.delete<IdParams>('/containers/:id', async (request, reply) => {
    const query = queryOf(request);
    await containers.remove(request.params.id, {
      force: query.flag('force'),
      volumes: query.flag('v'),
    });
    return reply.code(204).send();
  });

  // `docker rm --link CONTAINER/ALIAS`; the client's slash stands in the path.
  app.delete<{ Params: { id: string; alias: string } }>('/containers/:id/:alias', async (request, reply) => {
    const { id, alias } = request.params;
    if (!queryOf(request).flag('link'))
      throw new EngineError('notFound', `No such container: ${id}/${alias}`);
    await containers.unlink(id, alias);
    return reply.code(204).send();
  });
}

/** The `h` and `w` of a resize. Throws `invalidArgument`. */
export function sizeOf(query: Query): { readonly height: number; readonly width: number } {
  const read = (name: string, side: string) => {
    const text = query.text(name);
    if (!/^\d{1,5}$/.test(text)) {
      throw new EngineError(
        'invalidArgument',
        `invalid resize ${side} ${JSON.stringify(text)}: invalid syntax`,
      );
    }
    return Number(text);
  };
  return { height: read('h', 'height'), width: read('w', 'width') };
}
