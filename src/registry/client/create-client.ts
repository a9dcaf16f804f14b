import { EngineError } from '../../errors/index.ts';
import type { ProxyConfig } from '../../lib/http-proxy.ts';
import { raceAbort } from '../../lib/keyed-lock.ts';
import { defaultDomain, type Reference } from '../../oci/index.ts';
import { discard } from './body.ts';
import { type HostTls, readHostTls } from './certificates.ts';
import { Connections } from './connections.ts';
import {
  type Endpoint,
  endpointsOf,
  isInsecure,
  mirrorEndpoint,
  mirrorsOf,
  type RegistrySettings,
} from './endpoints.ts';
import { Http } from './http.ts';
import type { Access, Credentials, RegistryClient } from './registry-client.ts';
import { createRemoteRepository } from './remote-repository.ts';
import { search, splitSearchTerm } from './search.ts';
import { Session } from './session.ts';

export interface RegistryClientOptions extends RegistrySettings {
  readonly userAgent: string;
  readonly proxies: ProxyConfig;
  /** Directories with certificates by host, the first that has the host counts. */
  readonly certificateDirectories: readonly string[];
  /** A connection that brings no byte for so long is broken; default a minute. */
  readonly stallMs?: number;
}

const usualStallMs = 60_000;

/** Costs nothing until it is first used. */
export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  // Only what was asked for as a registry: a token server or a storage is no less checked for where its name leads.
  const insecureHosts = new Set<string>();
  const tlsOf = async (host: string): Promise<HostTls> => ({
    ...(await readHostTls(options.certificateDirectories, host)),
    rejectUnauthorized: !insecureHosts.has(host) && !isInsecure(host, options),
  });
  const found = async (finding: Promise<readonly Endpoint[]>, signal: AbortSignal | undefined) => {
    const endpoints = await raceAbort(finding, signal);
    for (const { base, insecure } of endpoints) if (insecure) insecureHosts.add(new URL(base).host);
    return endpoints;
  };
  const http = new Http({
    tlsOf,
    userAgent: options.userAgent,
    proxies: options.proxies,
    stallMs: options.stallMs ?? usualStallMs,
  });
  const connections = new Connections(http);

  /** Opens, once, the endpoint of these that answers. */
  const opener = (find: () => Promise<readonly Endpoint[]>, access: Access) => {
    let session: Session | undefined;
    return async (signal?: AbortSignal): Promise<Session> => {
      if (session !== undefined) return session;
      const endpoints = await found(find(), signal);
      const { endpoint, response } = await connections.first(endpoints, signal);
      // Requests at the same time must meet in one session, where they share its tokens.
      session ??= sessionOf(endpoint, access);
      session.authorizer.expect(response);
      return session;
    };
  };
  const sessionOf = ({ base, insecure }: Endpoint, access: Access) =>
    new Session({
      http,
      base,
      credentials: access.credentials,
      headers: access.headers ?? {},
      insecure,
    });

  return {
    repository: (name: Reference, access, action) => {
      const mirrors = mirrorsOf(name.domain, action, options);
      return createRemoteRepository({
        path: name.path,
        scopes: [`repository:${name.path}:${action === 'push' ? 'pull,push' : 'pull'}`],
        // Docker Hub's credentials are no business of a mirror's.
        sessions: [
          ...mirrors.map((base) => opener(async () => [await mirrorEndpoint(base, options)], {})),
          opener(() => endpointsOf(name.domain, options), access),
        ],
      });
    },
    login: async (server, credentials, signal) => {
      const host = hostOf(server);
      const open = opener(() => endpointsOf(host, options), { credentials });
      return login(await open(signal), credentials, signal);
    },
    search: async ({ term, limit }, access, signal) => {
      const split = splitSearchTerm(term);
      let last: unknown;
      for (const endpoint of await found(endpointsOf(split.host, options), signal)) {
        try {
          return await search(sessionOf(endpoint, access), { term: split.term, limit }, signal);
        } catch (error) {
          signal?.throwIfAborted();
          last = error;
        }
      }
      throw last;
    },
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}

async function login(
  session: Session,
  credentials: Credentials,
  signal: AbortSignal | undefined,
): Promise<{ readonly identityToken?: string }> {
  const identityToken = credentials.identityToken
    ? undefined
    : await session.authorizer.identityToken(signal);
  try {
    await discard(await session.send({ method: 'GET', at: '/v2/', scopes: [], expect: [200], signal }));
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'unauthorized') throw error;
    const text = `login attempt to ${session.base}/v2/ failed with status: 401 Unauthorized`;
    throw new EngineError('unauthorized', text, { cause: error });
  }
  return identityToken === undefined ? {} : { identityToken };
}

/** `https://index.docker.io/v1/` is what Docker's clients call the Hub. */
function hostOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
  return host === '' || host === 'index.docker.io' ? defaultDomain : host;
}
