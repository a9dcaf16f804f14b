import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ImageInspect, ProgressMessage } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { canonicalName, type Platform, parseReference } from '../../oci/index.ts';
import { readingBody, readObject } from '../body.ts';
import type { RestParams, RouteContext } from '../context.ts';
import { toCreateRequest } from '../create-body.ts';
import { summaryFor } from '../image-summary.ts';
import { withReference } from '../old-clients.ts';
import { queryOf, referenceOf } from '../query.ts';
import { accessOf } from '../registry-auth.ts';
import { sendBytes, sendProgress } from '../streams.ts';

const listFilters = ['before', 'dangling', 'label', 'reference', 'since', 'until'];
const pruneFilters = ['dangling', 'label', 'label!', 'until'];

/** Fields of a container's configuration that images carried until API 1.50. */
const legacyConfig = {
  AttachStderr: false,
  AttachStdin: false,
  AttachStdout: false,
  Cmd: null,
  Domainname: '',
  Entrypoint: null,
  Env: null,
  Hostname: '',
  Image: '',
  Labels: null,
  OnBuild: null,
  OpenStdin: false,
  StdinOnce: false,
  Tty: false,
  User: '',
  Volumes: null,
  WorkingDir: '',
};

/** An image's name may hold slashes, so `/images/NAME/ACTION` arrives as one wildcard, split here. */
type Action = (name: string, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

export function imageRoutes(app: FastifyInstance, { engine, calls }: RouteContext): void {
  const { images, containers, transfers } = engine;

  app.get('/images/json', async (request) => {
    const query = queryOf(request);
    const filters = query.filters(listFilters);
    const list = images.list({
      all: query.flag('all'),
      sharedSize: query.flag('shared-size'),
      filters: request.api < 41 ? withReference(filters, query.text('filter')) : filters,
    });
    return list.map((image) => summaryFor(image, request.api));
  });

  app.get('/images/get', async (request, reply) => {
    const names = queryOf(request).list('names');
    if (names.length === 0) throw new EngineError('invalidArgument', 'no images specified');
    await save(names, request, reply);
  });

  app.post('/images/load', async (request, reply) => {
    const query = queryOf(request);
    const quiet = query.flag('quiet', true);
    const platforms = query.platforms();
    const signal = calls.signalOf(request, reply);
    // Docker tells even that the archive is none in the stream, and its client libraries look for it there.
    const load = async (onProgress: (message: ProgressMessage) => void) => {
      const report = quiet ? onlyResults(onProgress) : onProgress;
      await readingBody(request, (archive) => images.load(archive, report, { platforms, signal }));
    };
    await sendProgress(reply, load, { alwaysOk: true });
  });

  app.post('/images/prune', async (request) => images.prune(queryOf(request).filters(pruneFilters)));

  app.post('/commit', async (request, reply) => {
    const query = queryOf(request);
    const container = query.text('container');
    if (container === '')
      throw new EngineError('invalidArgument', 'bad parameter: container cannot be empty');
    const body = await readObject(request);
    const reference = referenceOf(query);
    const comment = query.optional('comment');
    const author = query.optional('author');
    const committed = await containers.commit(container, {
      pause: query.text('pause') === '' || query.flag('pause'),
      changes: query.list('changes'),
      ...(reference === undefined ? {} : { reference }),
      ...(comment === undefined ? {} : { comment }),
      ...(author === undefined ? {} : { author }),
      ...(Object.keys(body).length === 0 ? {} : { config: toCreateRequest(body) }),
    });
    return reply.code(201).send(committed);
  });

  const save = async (names: readonly string[], request: FastifyRequest, reply: FastifyReply) => {
    const query = queryOf(request);
    const options = { since: query.list('since'), platforms: query.platforms() };
    const tar = await images.save(names, { ...options, signal: calls.signalOf(request, reply) });
    await sendBytes(reply, tar, { 'Content-Type': 'application/x-tar' });
  };

  const reading: Readonly<Record<string, Action>> = {
    json: async (name, request) => inspectFor(images.inspect(name, platformsOf(request, 49)), request.api),
    history: async (name, request) => images.history(name, platformsOf(request, 48)),
    get: async (name, request, reply) => save([name], request, reply),
  };
  app.get<RestParams>('/images/*', async (request, reply) => dispatch(reading, request, reply));

  const writing: Readonly<Record<string, Action>> = {
    tag: async (name, request, reply) => {
      const reference = referenceOf(queryOf(request));
      if (reference === undefined) throw new EngineError('invalidArgument', 'invalid reference format');
      images.tag(name, reference);
      return reply.code(201).send('');
    },
    push: async (name, request, reply) => {
      const query = queryOf(request);
      const tag = query.text('tag');
      const platforms = platformsOf(request, 46);
      const named = parseReference(name);
      const reference = tag === '' ? named : parseReference(`${canonicalName(named)}:${tag}`);
      const access = accessOf(request);
      const signal = calls.signalOf(request, reply);
      await sendProgress(reply, (onProgress) =>
        transfers.push({ reference, access, platforms }, { onProgress, signal }),
      );
    },
  };
  app.post<RestParams>('/images/*', async (request, reply) => dispatch(writing, request, reply));

  app.delete<RestParams>('/images/*', async (request) => {
    const query = queryOf(request);
    const platforms = platformsOf(request, 50, 'platforms');
    if (platforms.length > 1) {
      throw new EngineError('invalidArgument', 'multiple platforms are not supported');
    }
    return images.remove(request.params['*'], {
      force: query.flag('force'),
      noPrune: query.flag('noprune'),
      platforms,
    });
  });
}

/** The platforms asked for by a client of an API that knows the question on this route; of an older one, none. */
function platformsOf(request: FastifyRequest, since: number, name?: string): Platform[] {
  return request.api < since ? [] : queryOf(request).platforms(name);
}

async function dispatch(
  actions: Readonly<Record<string, Action>>,
  request: FastifyRequest<RestParams>,
  reply: FastifyReply,
): Promise<unknown> {
  const rest = request.params['*'];
  const slash = rest.lastIndexOf('/');
  const name = rest.slice(0, Math.max(slash, 0));
  const action = Object.hasOwn(actions, rest.slice(slash + 1)) ? actions[rest.slice(slash + 1)] : undefined;
  if (action === undefined || name === '') throw new EngineError('notFound', 'page not found');
  return action(name, request, reply);
}

/** What `load --quiet` shows: the names of what was loaded. */
function onlyResults(onProgress: (message: ProgressMessage) => void): (message: ProgressMessage) => void {
  return (message) => {
    if (message.stream !== undefined) onProgress(message);
  };
}

function inspectFor(image: ImageInspect, api: number): object {
  // Gone from API 1.45 on, but Compose 1 speaks the newest version and reads it when it recreates a container.
  if (api >= 50) return { ...image, ContainerConfig: legacyConfig };
  const older = { ...image, Config: { ...legacyConfig, ...image.Config } };
  const sized = api < 44 ? { ...older, VirtualSize: image.Size } : older;
  return { ...sized, ContainerConfig: legacyConfig, ...(api < 45 ? { Container: '' } : {}) };
}
