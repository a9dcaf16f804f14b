import { environmentProxies, gantryVersion } from '../../../config/index.ts';
import { createRegistryClient } from '../../client/index.ts';
import type { CacheConfig } from '../config/registry-config.ts';
import type { Origin } from '../protocol/origin.ts';
import { PullThrough, type PullThroughOptions } from './pull-through.ts';
import type { UpstreamOf, UpstreamRepository } from './upstream.ts';

const hubHosts: readonly string[] = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
const usualCertificates = ['/etc/gantry/certs.d', '/etc/docker/certs.d'];
/** Repositories whose tokens are remembered. */
const mostOpened = 1_000;

export interface CachesOptions extends Omit<PullThroughOptions, 'upstreamOf'> {
  readonly caches: readonly CacheConfig[];
  /** An upstream that brings no byte for so long has broken down. */
  readonly stallMs: number;
}

/** The caches of the configuration, each with a client of its own. Dispose ends downloads and connections. */
export function createPullThrough({ caches, stallMs, ...options }: CachesOptions): Origin & AsyncDisposable {
  const opened = new Map<string, UpstreamRepository>();
  const clients = new AsyncDisposableStack();
  const byPrefix = caches
    .toSorted((a, b) => b.prefix.length - a.prefix.length)
    .map((cache) => ({ cache, client: clients.use(createRegistryClient(settingsOf(cache, stallMs))) }));

  const upstreamOf: UpstreamOf = (repository) => {
    const known = opened.get(repository);
    if (known !== undefined) return known;
    const found = byPrefix.find(({ cache }) => repository.startsWith(cache.prefix && `${cache.prefix}/`));
    if (found === undefined) return undefined;
    const { cache, client } = found;
    const name = upstreamName(cache, repository);
    const access =
      cache.username === undefined
        ? {}
        : { credentials: { username: cache.username, password: cache.password ?? '' } };
    const upstream = { name, ttlMs: cache.ttlMs, client: client.repository(name, access, 'pull') };
    if (opened.size >= mostOpened) opened.clear();
    opened.set(repository, upstream);
    return upstream;
  };

  // Disposed first: its downloads use the clients.
  const pullThrough = clients.use(new PullThrough({ ...options, upstreamOf }));
  return {
    covers: (repository) => pullThrough.covers(repository),
    refresh: (repository, reference, signal) => pullThrough.refresh(repository, reference, signal),
    fetch: (repository, digest, signal) => pullThrough.fetch(repository, digest, signal),
    [Symbol.asyncDispose]: () => clients.disposeAsync(),
  };
}

/** What a repository here is called upstream. On Docker Hub a name without a slash is one of Docker's own. */
export function upstreamName({ prefix, upstream }: CacheConfig, repository: string) {
  const url = new URL(upstream);
  const inner = prefix === '' ? repository : repository.slice(prefix.length + 1);
  const below = url.pathname.replace(/^\/+|\/+$/g, '');
  const hub = hubHosts.includes(url.host);
  const path = hub && !inner.includes('/') ? `library/${inner}` : inner;
  return { domain: hub ? 'docker.io' : url.host, path: below === '' ? path : `${below}/${path}` };
}

function settingsOf({ upstream, certificates }: CacheConfig, stallMs: number) {
  const { protocol, host } = new URL(upstream);
  return {
    insecureRegistries: protocol === 'http:' ? [host] : [],
    registryMirrors: [],
    proxies: environmentProxies(),
    certificateDirectories: certificates === undefined ? usualCertificates : [certificates],
    userAgent: `gantry-registry/${gantryVersion}`,
    stallMs,
  };
}
