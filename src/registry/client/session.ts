import type { Readable } from 'node:stream';
import { Authorizer, type AuthorizerOptions } from './authorizer.ts';
import { discard } from './body.ts';
import { refusalOf } from './failure.ts';
import type { Http, HttpRequest, HttpResponse } from './http.ts';

export interface SessionRequest {
  readonly method: HttpRequest['method'];
  /** Below the endpoint's base, or a whole URL the registry gave. */
  readonly at: string | URL;
  readonly scopes: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: () => Promise<Readable | Buffer>;
  /** Statuses that are answers; any other is a refusal and rejects. */
  readonly expect: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

export interface SessionOptions extends AuthorizerOptions {
  readonly http: Http;
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The first for the token, others for tokens that ran out on the way. */
const mostChallenges = 3;

/** Requests to one registry by one endpoint as one user. */
export class Session {
  readonly base: string;
  readonly authorizer: Authorizer;
  readonly #http: Http;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: SessionOptions) {
    this.base = options.base;
    this.authorizer = new Authorizer(options);
    this.#http = options.http;
    this.#headers = options.headers;
  }

  /** Answers challenges. Rejects with the registry's refusal, its body read. */
  async send(request: SessionRequest): Promise<HttpResponse> {
    for (let challenges = 0; ; challenges += 1) {
      const { response, authorization } = await this.#once(request);
      if (request.expect.includes(response.status)) return response;
      const answerable = response.status === 401 && challenges < mostChallenges;
      if (!answerable || !this.authorizer.learn(response, { scopes: request.scopes, authorization })) {
        throw await refusalOf(response);
      }
      await discard(response);
    }
  }

  /** Where a path of the registry, or a `Location` it sent, is. A location may be relative to where it came from. */
  urlOf(at: string | URL, from?: URL): URL {
    if (typeof at !== 'string') return at;
    return from === undefined ? new URL(`${this.base}${at}`) : new URL(at, from);
  }

  async #once({ method, at, scopes, headers, body, signal }: SessionRequest): Promise<{
    readonly response: HttpResponse;
    readonly authorization: string | undefined;
  }> {
    const url = this.urlOf(at);
    // An upload may be told to go to another host, which has no business with our token.
    const own = url.host === new URL(this.base).host;
    const authorization = own ? await this.authorizer.header(scopes, signal) : undefined;
    const response = await this.#http.send({
      method,
      url,
      headers: {
        ...(own ? this.#headers : {}),
        ...headers,
        ...(authorization === undefined ? {} : { authorization }),
      },
      ...(body === undefined ? {} : { body }),
      signal,
    });
    return { response, authorization };
  }
}
