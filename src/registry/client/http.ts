import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { EngineError, isCode } from '../../errors/index.ts';
import { type ProxyConfig, proxyOf } from '../../lib/http-proxy.ts';
import { discard } from './body.ts';
import type { HostTls } from './certificates.ts';
import { networkError } from './network-error.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Asked again when the request has to be sent once more, after a redirect. */
  readonly body?: () => Promise<Readable | Buffer>;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Readonly<Record<string, string>>;
  /** To be read to its end, or destroyed. */
  readonly body: Readable;
  /** Where it came from, after redirects. */
  readonly url: URL;
}

export interface HttpOptions {
  readonly tlsOf: (host: string) => Promise<HostTls>;
  readonly proxies: ProxyConfig;
  readonly userAgent: string;
  /** A connection that brings no byte for so long is broken. */
  readonly stallMs: number;
}

const connectMs = 20_000;
/** For what changes something: a registry may check and store a whole blob before it answers. */
const answerMs = 600_000;
const mostRedirects = 10;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** HTTP with redirects, per-host certificates and errors in Docker's words. The library is loaded by the first request. */
export class Http implements AsyncDisposable {
  readonly #options: HttpOptions;
  readonly #agents = new Map<string, Promise<Dispatcher>>();

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /** Any status resolves. Rejects with `unavailable` when nobody answers, with the signal's reason when it aborts. */
  async send(request: HttpRequest): Promise<HttpResponse> {
    let { url, headers = {}, method, body } = request;
    for (let hops = 0; ; hops += 1) {
      const response = await this.#once({
        ...request,
        url,
        headers,
        method,
        ...(body === undefined ? {} : { body }),
      });
      const location = redirects.has(response.status) ? response.headers['location'] : undefined;
      if (location === undefined) return response;
      await discard(response);
      if (hops === mostRedirects) throw refuse(request, `stopped after ${mostRedirects} redirects`);
      const next = targetOf(request, location, url);
      if (next.host !== url.host) headers = withoutCredentials(headers);
      if (method !== 'HEAD' && response.status <= 303 && method !== 'GET') {
        method = 'GET';
        body = undefined;
      }
      url = next;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const agents = await Promise.allSettled(this.#agents.values());
    this.#agents.clear();
    for (const agent of agents) if (agent.status === 'fulfilled') await agent.value.destroy();
  }

  async #once(request: HttpRequest): Promise<HttpResponse> {
    const { method, url, signal } = request;
    signal?.throwIfAborted();
    try {
      const agent = await this.#agent(url);
      const body = await request.body?.();
      const options: Dispatcher.RequestOptions = {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: { 'user-agent': this.#options.userAgent, ...request.headers },
        headersTimeout: method === 'GET' || method === 'HEAD' ? this.#options.stallMs : answerMs,
        ...(body === undefined ? {} : { body }),
        ...(signal === undefined ? {} : { signal }),
      };
      const answer = await agent.request(options);
      // Whoever reads it is told; a body that nobody reads may fail unheard.
      answer.body.on('error', () => undefined);
      return {
        status: answer.statusCode,
        statusText: answer.statusText,
        headers: oneEach(answer.headers),
        body: answer.body,
        url,
      };
    } catch (error) {
      signal?.throwIfAborted();
      const failure = networkError(error, { method, url });
      // Whoever mends what is trusted need not restart the engine.
      if (isCode(failure, 'forbidden')) this.#forget(url);
      throw failure;
    }
  }

  #agent(url: URL): Promise<Dispatcher> {
    let agent = this.#agents.get(url.origin);
    if (agent === undefined) {
      agent = this.#makeAgent(url);
      this.#agents.set(url.origin, agent);
      agent.catch(() => this.#agents.delete(url.origin));
    }
    return agent;
  }

  #forget({ origin }: URL): void {
    const agent = this.#agents.get(origin);
    this.#agents.delete(origin);
    agent?.then((one) => one.close()).catch(() => undefined);
  }

  async #makeAgent(url: URL): Promise<Dispatcher> {
    const secure = url.protocol === 'https:';
    const [undici, tls] = await Promise.all([import('undici'), secure ? this.#options.tlsOf(url.host) : {}]);
    const options = { bodyTimeout: this.#options.stallMs, pipelining: 1, allowH2: false };
    const connect = { timeout: connectMs, ...tls };
    const uri = proxyOf(url, this.#options.proxies);
    if (uri === undefined) return new undici.Agent({ ...options, connect });
    return new undici.ProxyAgent({ ...options, uri, requestTls: connect, connectTimeout: connectMs });
  }
}

function targetOf(request: HttpRequest, location: string, from: URL): URL {
  const url = URL.parse(location, from.href);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw refuse(request, 'a redirect that is no URL');
  if (from.protocol === 'https:' && url.protocol === 'http:') {
    throw refuse(request, `a redirect from HTTPS to plain HTTP (${url.host})`);
  }
  return url;
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name]) => !/^(?:authorization|cookie|x-meta-.*)$/i.test(name),
  );
  return Object.fromEntries(kept);
}

function refuse({ method, url }: HttpRequest, why: string): EngineError {
  return new EngineError('forbidden', `${method} ${JSON.stringify(url.origin + url.pathname)}: ${why}`);
}

function oneEach(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), typeof value === 'string' ? value : value.join(', ')]],
    ),
  );
}
