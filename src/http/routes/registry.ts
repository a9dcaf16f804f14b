import type { FastifyInstance } from 'fastify';
import { EngineError } from '../../errors/index.ts';
import { familiarName, parseReference } from '../../oci/index.ts';
import type { RestParams, RouteContext } from '../context.ts';
import { queryOf, referenceOf } from '../query.ts';
import { sendProgress } from '../streams.ts';

/** Images from elsewhere: import of a file tree, and the answers while the engine has no registry client. */
export function registryRoutes(app: FastifyInstance, { engine, calls }: RouteContext): void {
  app.post('/images/create', async (request, reply) => {
    const query = queryOf(request);
    const from = query.text('fromImage');
    if (from !== '') {
      throw new EngineError(
        'notFound',
        `pull access denied for ${familiarName(parseReference(from))}, repository does not exist or may require 'docker login'`,
      );
    }
    const source = query.text('fromSrc');
    if (source !== '-') {
      throw source === ''
        ? new EngineError('invalidArgument', 'one of fromImage and fromSrc is needed')
        : new EngineError('notImplemented', `Cannot import from ${source}: send the archive with fromSrc=-`);
    }
    const reference = referenceOf(query);
    const message = query.optional('message');
    const platform = query.platform();
    const signal = calls.signalOf(request, reply);
    await sendProgress(reply, async (onProgress) => {
      const options = {
        changes: query.list('changes'),
        ...(reference === undefined ? {} : { reference }),
        ...(message === undefined ? {} : { message }),
        ...(platform === undefined ? {} : { platform }),
      };
      const image = await engine.images.importRootfs(request.raw, options, signal);
      onProgress({ status: image.id });
    });
  });

  app.get('/images/search', async () => {
    throw new EngineError('notImplemented', 'searching a registry is not supported by this engine yet');
  });

  app.post('/auth', async () => {
    throw new EngineError('notImplemented', 'logging in to a registry is not supported by this engine yet');
  });

  app.get<RestParams>('/distribution/*', async (request) => {
    if (!request.params['*'].endsWith('/json')) throw new EngineError('notFound', 'page not found');
    throw new EngineError('notImplemented', 'asking a registry is not supported by this engine yet');
  });
}
