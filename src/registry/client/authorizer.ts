import { EngineError, isCode, messageOf } from '../../errors/index.ts';
import { raceAbort } from '../../lib/keyed-lock.ts';
import { readJson } from './body.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { refusalOf } from './failure.ts';
import type { Http, HttpResponse } from './http.ts';
import type { Credentials } from './registry-client.ts';

interface Token {
  readonly value: string;
  readonly expiresAtMs: number;
}

export interface AuthorizerOptions {
  readonly http: Http;
  readonly credentials: Credentials | undefined;
  /** Whether tokens of this registry may be asked for without TLS. */
  readonly insecure: boolean;
}

const clientId = 'docker';
const shortestLifeMs = 60_000;
/** A token this close to its end is not worth sending. */
const marginMs = 5_000;

/**
 * Answers a registry's challenges: basic, or bearer tokens for the scopes of a request, kept until they expire.
 * Credentials go to the registry and to the token server it names, nowhere else.
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  #challenge: Challenge | undefined;
  readonly #tokens = new Map<string, Token>();
  readonly #fetching = new Map<string, Promise<Token>>();

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** The header to send before the registry asks, as far as one is known. */
  async header(scopes: readonly string[], signal?: AbortSignal): Promise<string | undefined> {
    const { credentials } = this.#options;
    if (credentials?.registryToken) return `Bearer ${credentials.registryToken}`;
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    // Without a login it may still be somebody whom the registry lets read.
    if (challenge.scheme === 'basic') return credentials?.username ? basic(credentials) : undefined;
    const key = keyOf(scopes);
    const known = this.#tokens.get(key);
    if (known !== undefined && known.expiresAtMs - marginMs > Date.now()) return `Bearer ${known.value}`;
    return `Bearer ${(await raceAbort(this.#fetch(challenge, scopes), signal)).value}`;
  }

  /** Learns from the answer to a ping. */
  expect(response: HttpResponse): Challenge | undefined {
    const challenges = parseChallenges(response.headers['www-authenticate'] ?? '');
    const challenge =
      challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters['realm'] !== undefined) ??
      challenges.find(({ scheme }) => scheme === 'basic');
    if (challenge === undefined || this.#options.credentials?.registryToken) return undefined;
    this.#challenge = challenge;
    return challenge;
  }

  /**
   * Learns from a 401 to a request with this header. True if another request may fare better. Throws `unauthorized`
   * when there is nothing to log in with.
   */
  learn(
    response: HttpResponse,
    request: { readonly scopes: readonly string[]; readonly authorization: string | undefined },
  ): boolean {
    const challenge = this.expect(response);
    if (challenge === undefined) return false;
    if (challenge.scheme === 'basic') {
      if (!this.#options.credentials?.username) {
        throw new EngineError('unauthorized', 'no basic auth credentials');
      }
      return request.authorization?.startsWith('Basic ') !== true;
    }
    // Another request may have brought a new one meanwhile.
    const key = keyOf(request.scopes);
    if (`Bearer ${this.#tokens.get(key)?.value}` === request.authorization) this.#tokens.delete(key);
    const refused = challenge.parameters['error'] === 'insufficient_scope';
    return !(refused && request.authorization !== undefined);
  }

  /** A refresh token for the credentials, where the registry works with tokens and gives one. */
  async identityToken(signal?: AbortSignal): Promise<string | undefined> {
    if (this.#challenge?.scheme !== 'bearer') return undefined;
    const answer = await this.#askTokenServer(this.#challenge, [], { offline: true, signal });
    return typeof answer['refresh_token'] === 'string' ? answer['refresh_token'] : undefined;
  }

  /** Requests that need the same token at once fetch it once. */
  #fetch(challenge: Challenge, scopes: readonly string[]): Promise<Token> {
    const key = keyOf(scopes);
    let fetching = this.#fetching.get(key);
    if (fetching === undefined) {
      fetching = this.#fetchOnce(challenge, scopes).finally(() => this.#fetching.delete(key));
      this.#fetching.set(key, fetching);
    }
    return fetching;
  }

  async #fetchOnce(challenge: Challenge, scopes: readonly string[]): Promise<Token> {
    const answer = await this.#askTokenServer(challenge, scopes, {});
    const value = answer['token'] || answer['access_token'];
    if (typeof value !== 'string') {
      throw new EngineError('unauthorized', 'authorization server did not include a token in the response');
    }
    const seconds = answer['expires_in'];
    const lifeMs = Math.max(typeof seconds === 'number' ? seconds * 1000 : 0, shortestLifeMs);
    const token = { value, expiresAtMs: Date.now() + lifeMs };
    this.#tokens.set(keyOf(scopes), token);
    return token;
  }

  async #askTokenServer(
    { parameters }: Challenge,
    scopes: readonly string[],
    options: { readonly offline?: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<Readonly<Record<string, unknown>>> {
    const { http, credentials, insecure } = this.#options;
    const url = URL.parse(parameters['realm'] ?? '');
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new EngineError(
        'unauthorized',
        `invalid token auth challenge realm: ${parameters['realm'] ?? ''}`,
      );
    }
    if (url.protocol === 'http:' && !insecure) {
      throw new EngineError('forbidden', `Refusing to ask ${url.host} for a token over plain HTTP`);
    }
    const service = parameters['service'];
    const { signal } = options;
    const form = new URLSearchParams();
    if (service !== undefined) form.append('service', service);
    if (credentials?.identityToken) {
      form.append('grant_type', 'refresh_token');
      form.append('refresh_token', credentials.identityToken);
      form.append('client_id', clientId);
      if (scopes.length > 0) form.append('scope', scopes.join(' '));
      const body = Buffer.from(form.toString());
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      return read(await http.send({ method: 'POST', url, headers, body: async () => body, signal }));
    }
    for (const scope of scopes) form.append('scope', scope);
    if (credentials?.username) form.append('account', credentials.username);
    if (options.offline === true) {
      form.append('offline_token', 'true');
      form.append('client_id', clientId);
    }
    for (const [name, value] of form) url.searchParams.append(name, value);
    const headers: Record<string, string> = credentials?.username
      ? { authorization: basic(credentials) }
      : {};
    return read(await http.send({ method: 'GET', url, headers, signal }));
  }
}

async function read(response: HttpResponse): Promise<Readonly<Record<string, unknown>>> {
  if (response.status !== 200) {
    const refusal = await refusalOf(response);
    if (isCode(refusal, 'unauthorized') || isCode(refusal, 'forbidden')) throw refusal;
    throw new EngineError(refusal.code, `failed to fetch oauth token: ${messageOf(refusal)}`, {
      cause: refusal.cause,
    });
  }
  return readJson(response, "token server's answer");
}

function keyOf(scopes: readonly string[]): string {
  return [...scopes].sort().join(' ');
}

function basic({ username = '', password = '' }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
