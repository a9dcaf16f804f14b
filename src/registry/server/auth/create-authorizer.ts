import type { IncomingMessage } from 'node:http';
import type { AccessRule, AuthConfig } from '../config/registry-config.ts';
import { RegistryError } from '../protocol/registry-error.ts';
import { type Authorizer, type Caller, everybody } from './authorizer.ts';
import { credentialsOf } from './credentials.ts';
import { isAllowed } from './rules.ts';
import { accessOf, scopesOf } from './scopes.ts';
import { createTokenEndpoint } from './token-endpoint.ts';
import { TokenIssuer } from './token-issuer.ts';
import { openOwnKey, openVerifier, type Verify, verifierOf } from './token-keys.ts';
import { Users } from './users.ts';

const toleratedSkewSeconds = 60;

export interface Authentication {
  readonly authorizer: Authorizer;
  /** Answers requests to `/token`, where the registry issues its own tokens. */
  readonly tokenEndpoint?: (request: IncomingMessage) => Promise<object>;
}

/** Makes what the configuration asks for. `keyPath` is where an own key for tokens is kept. */
export async function createAuthentication(
  config: AuthConfig | undefined,
  keyPath: string,
): Promise<Authentication> {
  if (config === undefined) return { authorizer: everybody };
  const { rules, token } = config;
  const users = config.htpasswd === undefined ? undefined : await Users.open(config.htpasswd);
  if (token === undefined) return { authorizer: new RuleAuthorizer({ rules, users }) };
  if (token.kind === 'outside') {
    const tokens = { ...token, verify: await openVerifier(token.keys) };
    return { authorizer: new RuleAuthorizer({ rules, users, tokens }) };
  }
  if (users === undefined) throw new Error('own tokens without users were refused by the configuration');
  const key = await openOwnKey(keyPath);
  const issuer = new TokenIssuer({ config: token, users, rules, key });
  const tokens = { ...token, issuer: token.service, verify: verifierOf(key) };
  return {
    authorizer: new RuleAuthorizer({ rules, users, tokens }),
    tokenEndpoint: createTokenEndpoint({ issuer, users }),
  };
}

interface Tokens {
  readonly verify: Verify;
  readonly issuer: string;
  readonly service: string;
  /** Absent: `/token` at the address the client came to. */
  readonly realm?: string;
}

class RuleAuthorizer implements Authorizer {
  readonly #rules: readonly AccessRule[];
  readonly #users: Users | undefined;
  readonly #tokens: Tokens | undefined;

  constructor(options: {
    readonly rules: readonly AccessRule[];
    readonly users: Users | undefined;
    readonly tokens?: Tokens;
  }) {
    this.#rules = options.rules;
    this.#users = options.users;
    this.#tokens = options.tokens;
  }

  async identify(request: IncomingMessage): Promise<Caller> {
    const credentials = credentialsOf(request);
    switch (credentials.kind) {
      case 'none':
        return this.#byRules(undefined);
      case 'basic':
        if (await this.#users?.verify(credentials.user, credentials.password)) {
          return this.#byRules(credentials.user);
        }
        throw new RegistryError('UNAUTHORIZED', 'incorrect username or password');
      case 'bearer':
        return this.#byToken(credentials.token);
    }
  }

  challenge(request: IncomingMessage, needed: Parameters<Authorizer['challenge']>[1]): string {
    if (this.#tokens === undefined) return 'Basic realm="gantry registry"';
    const { realm = tokenUrl(request), service } = this.#tokens;
    const scope = needed.length === 0 ? '' : `,scope="${scopesOf(needed)}"`;
    return `Bearer realm="${realm}",service="${service}"${scope}`;
  }

  #byRules(user: string | undefined): Caller {
    return {
      ...(user === undefined ? {} : { user }),
      byToken: false,
      may: (repository, action) => isAllowed(this.#rules, user, { repository, action }),
    };
  }

  async #byToken(token: string): Promise<Caller> {
    if (this.#tokens === undefined) {
      throw new RegistryError('UNAUTHORIZED', 'tokens are not accepted here');
    }
    const { verify, issuer, service } = this.#tokens;
    try {
      const claims = await verify(token, {
        issuer,
        audience: service,
        clockTolerance: toleratedSkewSeconds,
        requiredClaims: ['exp'],
      });
      const access = accessOf(claims['access']);
      const subject = claims['sub'];
      return {
        ...(typeof subject === 'string' && subject !== '' ? { user: subject } : {}),
        byToken: true,
        may: (repository, action) =>
          access.some((one) => one.repository === repository && one.actions.includes(action)),
      };
    } catch (error) {
      throw new RegistryError('UNAUTHORIZED', 'invalid token', { cause: error });
    }
  }
}

function tokenUrl({ headers, socket }: IncomingMessage): string {
  const forwarded = headers['x-forwarded-proto'];
  const secure = typeof forwarded === 'string' ? forwarded === 'https' : 'encrypted' in socket;
  const host = /^[\w.:[\]-]+$/.test(headers.host ?? '') ? headers.host : 'localhost';
  return `${secure ? 'https' : 'http'}://${host}/token`;
}
