import type { IncomingMessage, ServerResponse } from 'node:http';
import { isAbortError } from '../../../errors/index.ts';
import type { Access, Authorizer, Caller } from '../auth/authorizer.ts';
import type { RegistryStorage } from '../storage/index.ts';
import { deleteBlob, getBlob } from './blob-routes.ts';
import { bodyOf, discardRest, type Patience } from './body.ts';
import { type Action, answer, answerJson, type Exchange, pageOf, paginate } from './exchange.ts';
import type { Limits } from './limits.ts';
import { deleteManifest, getManifest, listReferrers, listTags, putManifest } from './manifest-routes.ts';
import { type Origin } from './origin.ts';
import { errorBody, RegistryError, registryErrorOf } from './registry-error.ts';
import { parseRoute, type Route } from './route.ts';
import { appendChunk, beginUpload, cancelUpload, endUpload, getUpload } from './upload-routes.ts';

/** What was done for one request, told when its connection is done with it. */
export interface Outcome {
  readonly method: string;
  readonly path: string;
  /** What the path named; undefined for paths outside of the API. */
  readonly kind: Route['kind'] | undefined;
  readonly repository?: string;
  readonly user?: string;
  readonly status: number;
  readonly ms: number;
  /** The client went away before the end of the answer. */
  readonly aborted: boolean;
  readonly error?: RegistryError;
}

export interface AppOptions {
  readonly storage: RegistryStorage;
  readonly origin: Origin;
  readonly authorizer: Authorizer;
  readonly limits: Limits;
  readonly patience: Patience;
  readonly observe: (outcome: Outcome, request: IncomingMessage, response: ServerResponse) => void;
}

type Handler = (exchange: Exchange) => Promise<void>;

/** Answers requests of the distribution API. */
export function createApp(options: AppOptions) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const started = performance.now();
    const method = request.method ?? 'GET';
    const url = request.url ?? '/';
    const cut = url.indexOf('?');
    const path = cut === -1 ? url : url.slice(0, cut);
    const query = new URLSearchParams(cut === -1 ? '' : url.slice(cut + 1));
    const gone = new AbortController();
    let route: Route | undefined;
    let caller: Caller | undefined;
    let error: RegistryError | undefined;
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
      const repository = route !== undefined && 'repository' in route ? route.repository : undefined;
      const outcome = {
        method,
        path,
        kind: route?.kind,
        status: response.statusCode,
        ms: performance.now() - started,
        aborted: !response.writableFinished,
        ...(repository === undefined ? {} : { repository }),
        ...(caller?.user === undefined ? {} : { user: caller.user }),
        ...(error === undefined ? {} : { error }),
      };
      options.observe(outcome, request, response);
    });
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    const exchange: Exchange = {
      request,
      response,
      method,
      query,
      signal: gone.signal,
      body: bodyOf(request, options.patience),
      may: (repository, action) => caller?.may(repository, action) ?? false,
    };
    try {
      route = parseRoute(path);
      if (route === undefined) throw new RegistryError('NAME_UNKNOWN', 'page not found');
      const handler = handlerOf(route, method, options);
      caller = await admit(options.authorizer, request, accessOf(route, method, query));
      await handler(exchange);
    } catch (thrown) {
      error = registryErrorOf(thrown);
      if (!(isAbortError(thrown) && gone.signal.aborted)) tell(exchange, error);
    }
    discardRest(request);
  };
}

function handlerOf(route: Route, method: string, options: AppOptions): Handler {
  const handler = handlersOf(route, options)[method];
  const writes = method === 'PUT' || method === 'POST' || method === 'PATCH';
  if (writes && 'repository' in route && options.origin.covers(route.repository)) {
    throw new RegistryError('UNSUPPORTED', 'this repository is a cache of another registry');
  }
  if (handler !== undefined) return handler;
  throw new RegistryError('UNSUPPORTED', `${method} is not supported here`);
}

function handlersOf(
  route: Route,
  { storage, limits, origin }: AppOptions,
): Readonly<Record<string, Handler>> {
  const context = { storage, limits, origin };
  const blobContext = { blobs: storage.blobs, origin };
  const read = (handler: Handler) => ({ GET: handler, HEAD: handler });
  switch (route.kind) {
    case 'ping':
      return read(async (exchange) => {
        answerJson(exchange, {});
      });
    case 'catalog':
      return read((exchange) => listRepositories(exchange, storage));
    case 'tags':
      return read((exchange) => listTags(exchange, context, route.repository));
    case 'referrers':
      return read((exchange) => listReferrers(exchange, context, route));
    case 'manifest':
      return {
        ...read((exchange) => getManifest(exchange, context, route)),
        PUT: (exchange) => putManifest(exchange, context, route),
        DELETE: (exchange) => deleteManifest(exchange, context, route),
      };
    case 'blob':
      return {
        ...read((exchange) => getBlob(exchange, blobContext, route)),
        DELETE: (exchange) => deleteBlob(exchange, blobContext, route),
      };
    case 'uploads':
      return { POST: (exchange) => beginUpload(exchange, context, route.repository) };
    case 'upload':
      return {
        ...read((exchange) => getUpload(exchange, context, route)),
        PATCH: (exchange) => appendChunk(exchange, context, route),
        PUT: (exchange) => endUpload(exchange, context, route),
        DELETE: (exchange) => cancelUpload(exchange, context, route),
      };
  }
}

/** What the caller must be allowed; the source of a mount is asked for too, so that a token can cover it. */
function accessOf(route: Route, method: string, query: URLSearchParams): readonly Access[] {
  if (!('repository' in route)) return [];
  const { repository } = route;
  if (route.kind === 'uploads' || route.kind === 'upload') {
    const from = route.kind === 'uploads' && query.has('mount') ? query.get('from') : null;
    const source: Access[] = from === null ? [] : [{ repository: from, actions: ['pull'] }];
    return [{ repository, actions: ['pull', 'push'] }, ...source];
  }
  const actions: Readonly<Record<string, readonly Action[]>> = { PUT: ['pull', 'push'], DELETE: ['delete'] };
  return [{ repository, actions: actions[method] ?? ['pull'] }];
}

/** Who calls, if they may do what they ask for. Even asking what API this is takes a login where logins are known. */
async function admit(
  authorizer: Authorizer,
  request: IncomingMessage,
  needed: readonly Access[],
): Promise<Caller> {
  let caller: Caller;
  try {
    caller = await authorizer.identify(request);
  } catch (error) {
    if (!(error instanceof RegistryError && error.status === 401)) throw error;
    throw unauthorized(error.message, authorizer.challenge(request, needed), error);
  }
  const [main] = needed;
  const allowed = main?.actions.every((action) => caller.may(main.repository, action)) ?? true;
  const known = caller.user !== undefined || caller.byToken;
  if (allowed && (main !== undefined || known)) return caller;
  const challenge = authorizer.challenge(request, needed);
  if (challenge === undefined) return caller;
  if (!known) throw unauthorized('authentication required', challenge);
  if (!caller.byToken) {
    throw new RegistryError('DENIED', 'requested access to the resource is denied', { detail: needed });
  }
  // Another token may allow it.
  const text = 'authentication required: the token does not cover this';
  throw unauthorized(text, `${challenge},error="insufficient_scope"`);
}

function unauthorized(message: string, challenge: string | undefined, cause?: unknown): RegistryError {
  return new RegistryError('UNAUTHORIZED', message, {
    cause,
    headers: challenge === undefined ? {} : { 'www-authenticate': challenge },
  });
}

/** Docker's list of repositories, of those the caller may pull. */
async function listRepositories(exchange: Exchange, { upkeep }: RegistryStorage): Promise<void> {
  const page = pageOf(exchange.query);
  const all = await Array.fromAsync(upkeep.repositories());
  const visible = all.filter((repository) => exchange.may(repository, 'pull')).sort();
  const { names, headers } = paginate(visible, page, '/v2/_catalog');
  answerJson(exchange, { repositories: names }, headers);
}

/** Sends an error, unless an answer is on its way already: then only cutting it short says that it is not whole. */
function tell(exchange: Exchange, error: RegistryError): void {
  const { response } = exchange;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) {
    if (name !== 'docker-distribution-api-version' && name !== 'connection') response.removeHeader(name);
  }
  const headers = { 'content-type': 'application/json', ...error.headers };
  answer(exchange, error.status, headers, error.status === 304 ? '' : errorBody(error));
}
