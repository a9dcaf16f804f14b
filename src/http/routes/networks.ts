import type { FastifyInstance } from 'fastify';
import type { EndpointSettings, NetworkCreateRequest } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { readObject } from '../body.ts';
import { endpointSettings } from '../container-kinds.ts';
import type { IdParams, RouteContext } from '../context.ts';
import { labels, readFields, type StructKind } from '../json-fields.ts';
import { queryOf } from '../query.ts';

const listFilters = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];
const ipamPool: StructKind = {
  struct: 'IPAMConfig',
  fields: { Subnet: 'string', IPRange: 'string', Gateway: 'string', AuxiliaryAddresses: labels },
};
const ipam: StructKind = {
  struct: 'IPAM',
  fields: { Driver: 'string', Options: labels, Config: { listOf: ipamPool } },
};
const createRequest: StructKind = {
  struct: 'CreateRequest',
  fields: {
    Name: 'string',
    Driver: 'string',
    Scope: 'string',
    Internal: 'boolean',
    Attachable: 'boolean',
    Ingress: 'boolean',
    ConfigOnly: 'boolean',
    ConfigFrom: { struct: 'ConfigReference', fields: { Network: 'string' } },
    EnableIPv4: 'boolean',
    EnableIPv6: 'boolean',
    IPAM: ipam,
    Options: labels,
    Labels: labels,
  },
};
const connectOptions: StructKind = {
  struct: 'ConnectOptions',
  fields: { Container: 'string', EndpointConfig: endpointSettings },
};

export function networkRoutes(app: FastifyInstance, { engine }: RouteContext): void {
  const { networks, containers } = engine;

  app.get('/networks', async (request) => {
    const list = networks.list(queryOf(request).filters(listFilters));
    // Who is attached is told by inspect only.
    return list.map((network) => ({ ...network, Containers: {} }));
  });

  app.get<IdParams>('/networks/:id', async (request) => {
    const scope = queryOf(request).text('scope');
    const network = networks.inspect(request.params.id);
    if (scope !== '' && scope !== network.Scope) {
      throw new EngineError('notFound', `network ${request.params.id} not found`);
    }
    return network;
  });

  app.post('/networks/create', async (request, reply) => {
    const body: NetworkCreateRequest = readFields(await readObject(request), createRequest);
    if ((body.Name ?? '').trim() === '') {
      throw new EngineError('invalidArgument', 'network name is required');
    }
    return reply.code(201).send(await networks.create(body));
  });

  app.post('/networks/prune', async (request) =>
    networks.prune(queryOf(request).filters(['label', 'label!', 'until'])),
  );

  app.delete<IdParams>('/networks/:id', async (request, reply) => {
    await networks.remove(request.params.id);
    return reply.code(204).send();
  });

  app.post<IdParams>('/networks/:id/connect', async (request) => {
    const body = readFields(await readObject(request), connectOptions);
    const settings = (body['EndpointConfig'] ?? {}) as Partial<EndpointSettings>;
    await containers.connectNetwork(containerOf(body), request.params.id, settings);
    return '';
  });

  app.post<IdParams>('/networks/:id/disconnect', async (request) => {
    const body = await readObject(request);
    const force = body['Force'] === true;
    await containers.disconnectNetwork(containerOf(body), request.params.id, { force });
    return '';
  });
}

function containerOf(body: Readonly<Record<string, unknown>>): string {
  const container = body['Container'];
  if (typeof container === 'string' && container !== '') return container;
  throw new EngineError('invalidArgument', 'invalid container name or ID: value is empty');
}
