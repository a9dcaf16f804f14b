import { createHash, type KeyObject, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import type { AccessRule, OwnTokenConfig } from '../config/registry-config.ts';
import { RegistryError } from '../protocol/registry-error.ts';
import type { Access } from './authorizer.ts';
import { isAllowed } from './rules.ts';
import { claimOf } from './scopes.ts';
import { verifierOf } from './token-keys.ts';
import type { Users } from './users.ts';

const refreshLifetime = '90d';

export interface TokenIssuerOptions {
  readonly config: OwnTokenConfig;
  readonly users: Users;
  readonly rules: readonly AccessRule[];
  readonly key: KeyObject;
}

/** Issues tokens to users (and, for what anybody may, to anybody), by Docker's token protocol. */
export class TokenIssuer {
  readonly #options: TokenIssuerOptions;
  readonly #keyId: string;

  constructor(options: TokenIssuerOptions) {
    this.#options = options;
    const { x, y } = options.key.export({ format: 'jwk' });
    this.#keyId = createHash('sha256').update(`${x}.${y}`).digest('base64url').slice(0, 16);
  }

  get service(): string {
    return this.#options.config.service;
  }

  /** A token for as much of what is asked as the user may have. */
  async issue(user: string | undefined, asked: readonly Access[]) {
    const { config, rules } = this.#options;
    const granted = asked.map(({ repository, actions }) => ({
      repository,
      actions: actions.filter((action) => isAllowed(rules, user, { repository, action })),
    }));
    const seconds = Math.max(60, Math.floor(config.lifetimeMs / 1_000));
    const token = await this.#sign({ access: claimOf(granted) }, user ?? '', config.service, `${seconds}s`);
    return { token, access_token: token, expires_in: seconds, issued_at: new Date().toISOString() };
  }

  /** A token to fetch tokens with, until the user's password changes. */
  async issueRefresh(user: string): Promise<string> {
    const password = await this.#options.users.fingerprint(user);
    return this.#sign({ password }, user, this.#refreshAudience(), refreshLifetime);
  }

  /** The user of a refresh token. Rejects with UNAUTHORIZED. */
  async userOfRefresh(token: string): Promise<string> {
    try {
      const { sub, password } = await verifierOf(this.#options.key)(token, {
        issuer: this.service,
        audience: this.#refreshAudience(),
      });
      const user = String(sub);
      if (password !== undefined && password === (await this.#options.users.fingerprint(user))) return user;
    } catch (error) {
      throw new RegistryError('UNAUTHORIZED', 'invalid refresh token', { cause: error });
    }
    throw new RegistryError('UNAUTHORIZED', 'invalid refresh token');
  }

  #sign(
    claims: Record<string, unknown>,
    subject: string,
    audience: string,
    lifetime: string,
  ): Promise<string> {
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: this.#keyId })
      .setIssuer(this.service)
      .setSubject(subject)
      .setAudience(audience)
      .setIssuedAt()
      .setNotBefore('-5s')
      .setExpirationTime(lifetime)
      .setJti(randomUUID())
      .sign(this.#options.key);
  }

  #refreshAudience(): string {
    return `${this.service}/refresh`;
  }
}
