import type { FastifyInstance } from 'fastify';
import { EngineError } from '../../errors/index.ts';
import { isDigest, parseReference, type Reference, withDefaultTag } from '../../oci/index.ts';
import { readObject } from '../body.ts';
import type { RestParams, RouteContext } from '../context.ts';
import { importImage } from '../import-image.ts';
import { type Query, queryOf } from '../query.ts';
import { accessOf, toCredentials } from '../registry-auth.ts';
import { sendProgress } from '../streams.ts';

const searchFilters = ['is-automated', 'is-official', 'stars'];
const mostResults = 100;
const usualResults = 25;

/** Images from elsewhere, and what registries are asked. */
export function registryRoutes(app: FastifyInstance, context: RouteContext): void {
  const { engine, calls } = context;
  const { transfers, registry } = engine;

  app.post('/images/create', async (request, reply) => {
    const query = queryOf(request);
    if (query.text('fromImage') === '') {
      await importImage(context, request, reply);
      return;
    }
    const reference = pulledReference(query);
    const platform = query.platform();
    const access = accessOf(request);
    const signal = calls.signalOf(request, reply);
    await sendProgress(reply, async (onProgress) => {
      const what = { reference, access, ...(platform === undefined ? {} : { platform }) };
      await transfers.pull(what, { onProgress, signal });
    });
  });

  app.get('/images/search', async (request, reply) => {
    const query = queryOf(request);
    const limit = query.integer('limit') || usualResults;
    if (limit < 0 || limit > mostResults) {
      throw new EngineError('invalidArgument', `limit ${limit} is outside the range of [1, ${mostResults}]`);
    }
    const filters = query.filters(searchFilters);
    const stars = Number(filters.get('stars')?.[0] ?? 0);
    if (!Number.isInteger(stars)) throw new EngineError('invalidArgument', "invalid filter 'stars'");
    const wanted = (name: string) => filters.get(name)?.[0];
    const signal = calls.signalOf(request, reply);
    const found = await registry.search({ term: query.text('term'), limit }, accessOf(request), signal);
    return found.filter(
      (one) =>
        one.star_count >= stars &&
        (wanted('is-official') === undefined || one.is_official === isTrue(wanted('is-official'))) &&
        (wanted('is-automated') === undefined || one.is_automated === isTrue(wanted('is-automated'))),
    );
  });

  app.post('/auth', async (request, reply) => {
    const body = await readObject(request);
    const server = body['serveraddress'];
    const credentials = toCredentials(body) ?? {};
    const { identityToken = '' } = await registry.login(
      typeof server === 'string' ? server : '',
      credentials,
      calls.signalOf(request, reply),
    );
    return { Status: 'Login Succeeded', IdentityToken: identityToken };
  });

  app.get<RestParams>('/distribution/*', async (request, reply) => {
    const [, name, what] = /^(.+)\/(json|manifest)$/.exec(request.params['*']) ?? [];
    if (name === undefined) throw new EngineError('notFound', 'page not found');
    const reference = withDefaultTag(parseReference(name));
    const signal = calls.signalOf(request, reply);
    if (what === 'json') return transfers.describe(reference, accessOf(request), signal);
    // Not Docker's: its CLI asks the registry itself.
    const { bytes, mediaType, digest } = await transfers.manifest(reference, accessOf(request), signal);
    return reply.header('Docker-Content-Digest', digest).type(mediaType).send(bytes);
  });
}

/** `fromImage`, with `tag` in the place of its own; neither tag nor digest is all tags. */
function pulledReference(query: Query): Reference {
  const reference = parseReference(query.text('fromImage'));
  const tag = query.text('tag');
  const { domain, path } = reference;
  if (tag === '') return reference;
  if (isDigest(tag)) return { domain, path, digest: tag };
  return parseReference(`${domain}/${path}:${tag}`);
}

function isTrue(text: string | undefined): boolean {
  return text === 'true' || text === '1';
}
