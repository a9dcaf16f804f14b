import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { EngineError } from '../errors/index.ts';
import type { RouteContext } from './context.ts';
import { archiveRoutes } from './routes/archive.ts';
import { buildRoutes } from './routes/build.ts';
import { containerRoutes } from './routes/containers.ts';
import { eventRoutes } from './routes/events.ts';
import { execRoutes } from './routes/exec.ts';
import { imageRoutes } from './routes/images.ts';
import { lifecycleRoutes } from './routes/lifecycle.ts';
import { networkRoutes } from './routes/networks.ts';
import { registryRoutes } from './routes/registry.ts';
import { storeRoutes } from './routes/store.ts';
import { streamRoutes } from './routes/streams.ts';
import { swarmRoutes } from './routes/swarm.ts';
import { systemRoutes } from './routes/system.ts';
import { volumeRoutes } from './routes/volumes.ts';
import { describeError } from './statuses.ts';
import { apiOf, commonHeaders, withoutVersion } from './versions.ts';

const groups = [
  systemRoutes,
  eventRoutes,
  containerRoutes,
  lifecycleRoutes,
  streamRoutes,
  execRoutes,
  archiveRoutes,
  registryRoutes,
  imageRoutes,
  buildRoutes,
  networkRoutes,
  volumeRoutes,
  storeRoutes,
  swarmRoutes,
];

/** The router: versions, headers, errors and every route; it listens nowhere by itself. */
export function createApp(context: RouteContext, log: FastifyBaseLogger): FastifyInstance {
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    // A URL that no route can be looked up for.
    frameworkErrors: (error, _request, reply) => {
      const { status, message } = describeError(error);
      reply.hijack();
      reply.raw.writeHead(status, { ...commonHeaders, 'Content-Type': 'application/json' });
      reply.raw.end(JSON.stringify({ message }));
    },
    rewriteUrl: (raw) => withoutVersion(raw.url ?? '/'),
    // Without schemas of Fastify's no compiler is needed; naming two keeps it from loading its own.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    routerOptions: {
      // A reference with a digest is longer than the default of 100.
      maxParamLength: 1_024,
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
    },
  });

  // Bodies are read by the handlers: as JSON by Docker's rules, or as the stream they are.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(null);
  });

  app.decorateRequest('api', 0);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(commonHeaders);
    request.api = apiOf(request.originalUrl);
  });
  app.addHook('onSend', async (_request, reply) => {
    // Docker names no character set.
    if (reply.getHeader('content-type') === 'application/json; charset=utf-8') {
      reply.header('content-type', 'application/json');
    }
  });
  app.addHook('onResponse', async (request, reply) => {
    const { method } = request;
    const ms = Math.round(reply.elapsedTime);
    request.log.debug({ method, path: pathOf(request), status: reply.statusCode, ms }, 'request');
  });

  app.setErrorHandler(async (error, request, reply) => {
    const { status, message } = describeError(malformedType(error, request) ?? error);
    if (status === 500) {
      request.log.error({ err: error, method: request.method, path: pathOf(request) }, message);
    }
    if (status === 304) return reply.code(304).send();
    return reply.code(status).type('application/json').send(JSON.stringify({ message }));
  });
  app.setNotFoundHandler(async (request) => {
    if (request.method === 'OPTIONS') return '';
    throw new EngineError('notFound', 'page not found');
  });

  for (const routes of groups) routes(app, context);
  return app;
}

function noCompiler(): never {
  throw new EngineError('internal', 'a route has a schema, but no compiler for it is configured');
}

/** Fastify refuses a Content-Type it cannot parse before a handler sees it. */
function malformedType(error: unknown, request: FastifyRequest): EngineError | undefined {
  if (!(error instanceof Error && 'statusCode' in error && error.statusCode === 415)) return undefined;
  const header = request.headers['content-type'] ?? '';
  return new EngineError('invalidArgument', `malformed Content-Type header (${header})`, { cause: error });
}

/** Without the query: build arguments may hold secrets. */
function pathOf(request: FastifyRequest): string {
  return request.originalUrl.split('?', 1)[0] ?? '';
}
