import type { FastifyInstance } from 'fastify';
import type { Ulimit } from '../../api/index.ts';
import type { BuildRequest } from '../../build/index.ts';
import { EngineError } from '../../errors/index.ts';
import { readingBody } from '../body.ts';
import type { RouteContext } from '../context.ts';
import { type Query, queryOf } from '../query.ts';
import { credentialsByHost } from '../registry-auth.ts';
import { sendProgress } from '../streams.ts';

const pruneFilters = [
  'description',
  'id',
  'inuse',
  'label',
  'label!',
  'parent',
  'private',
  'shared',
  'type',
  'unused-for',
  'until',
];

/** Building images. */
export function buildRoutes(app: FastifyInstance, { engine, calls }: RouteContext): void {
  app.post('/build', async (request, reply) => {
    const asked = toBuildRequest(queryOf(request));
    const credentials = credentialsByHost(request);
    const signal = calls.signalOf(request, reply);
    await sendProgress(reply, (tell, ready) =>
      readingBody(request, async (context) => {
        await engine.builder.build({ ...asked, credentials, context }, { tell, ready }, signal);
      }),
    );
  });

  app.post('/build/prune', async (request) => {
    const query = queryOf(request);
    return engine.builder.prune({
      all: query.flag('all'),
      filters: query.filters(pruneFilters),
      keepBytes: keepBytesOf(query, request.api),
    });
  });
}

/** What a prune leaves of the cache; 0 for nothing. API 1.48 gave `keep-storage` another name and two companions. */
function keepBytesOf(query: Query, api: number): number {
  const keepStorage = query.integer('keep-storage') ?? 0;
  if (api < 48) return keepStorage;
  if (query.integer('min-free-space')) {
    throw new EngineError('notImplemented', 'pruning the build cache by min-free-space is not supported');
  }
  const reserved = query.integer('reserved-space') || keepStorage;
  return Math.max(reserved, query.integer('max-used-space') ?? 0);
}

function toBuildRequest(query: Query): Omit<BuildRequest, 'credentials' | 'context'> {
  if (query.text('version') === '2') {
    throw new EngineError(
      'notImplemented',
      'BuildKit builds (version=2) are not supported by this engine yet',
    );
  }
  const remote = query.text('remote');
  if (remote !== '') {
    throw new EngineError(
      'notImplemented',
      `Cannot build from ${JSON.stringify(remote)}: send the context as the body of the request`,
    );
  }
  if (query.has('securityopt')) {
    throw new EngineError('invalidArgument', 'security options are not supported on linux');
  }
  const isolation = query.text('isolation');
  if (!['', 'default'].includes(isolation.toLowerCase())) {
    throw new EngineError('invalidArgument', `unsupported isolation: ${JSON.stringify(isolation)}`);
  }
  if (query.flag('squash')) {
    throw new EngineError('invalidArgument', 'squash is only supported with experimental mode');
  }
  const platform = query.platform();
  return {
    dockerfile: query.optional('dockerfile') ?? 'Dockerfile',
    tags: query.list('t').filter((tag) => tag !== ''),
    buildArgs: stringMap(query, 'buildargs', true),
    labels: stringMap(query, 'labels', false) as Record<string, string>,
    target: query.text('target'),
    noCache: query.flag('nocache'),
    cacheFrom: cacheFromOf(query),
    pull: query.flag('pull'),
    quiet: query.flag('q'),
    networkMode: query.text('networkmode'),
    extraHosts: query.list('extrahosts').filter((host) => host !== ''),
    shmSize: query.integer('shmsize') ?? 0,
    ulimits: ulimitsOf(query),
    memory: query.integer('memory') ?? 0,
    memorySwap: query.integer('memswap') ?? 0,
    cpuQuota: query.integer('cpuquota') ?? 0,
    cpuPeriod: query.integer('cpuperiod') ?? 0,
    cpuShares: query.integer('cpushares') ?? 0,
    cpusetCpus: query.text('cpusetcpus'),
    cpusetMems: query.text('cpusetmems'),
    cgroupParent: query.text('cgroupparent'),
    ...(platform === undefined ? {} : { platform }),
  };
}

function stringMap(query: Query, name: string, nullable: boolean): Record<string, string | null> {
  const value = query.json(name) ?? {};
  const valid = (item: unknown) => typeof item === 'string' || (nullable && item === null);
  if (typeof value !== 'object' || Array.isArray(value) || !Object.values(value).every(valid)) {
    throw new EngineError('invalidArgument', `invalid value for ${name}: an object of strings is expected`);
  }
  return value as Record<string, string | null>;
}

function cacheFromOf(query: Query): readonly string[] {
  const value = query.json('cachefrom') ?? [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw new EngineError('invalidArgument', 'invalid value for cachefrom: a list of strings is expected');
  }
  return value;
}

function ulimitsOf(query: Query): readonly Ulimit[] {
  const value = query.json('ulimits') ?? [];
  if (!Array.isArray(value) || !value.every(isUlimit)) {
    throw new EngineError('invalidArgument', 'invalid value for ulimits: [{Name, Soft, Hard}] is expected');
  }
  return value;
}

function isUlimit(value: unknown): value is Ulimit {
  if (typeof value !== 'object' || value === null) return false;
  const { Name, Soft, Hard } = value as Partial<Ulimit>;
  return typeof Name === 'string' && typeof Soft === 'number' && typeof Hard === 'number';
}
