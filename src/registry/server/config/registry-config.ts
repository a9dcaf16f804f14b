import type { Action } from '../protocol/exchange.ts';

/** Settings of a registry; docs/registry.md says what each does. */
export interface RegistryConfig {
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
  /** Absent: everybody may do everything. */
  readonly auth?: AuthConfig;
  readonly limits: LimitsConfig;
  readonly timeouts: TimeoutsConfig;
  readonly gc: GcConfig;
  readonly caches: readonly CacheConfig[];
  readonly metrics: { readonly host?: string };
  readonly log: { readonly level: LogLevel; readonly access: boolean };
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface AuthConfig {
  /** File of users and bcrypt hashes. */
  readonly htpasswd?: string;
  readonly token?: OwnTokenConfig | OutsideTokenConfig;
  readonly rules: readonly AccessRule[];
}

/** Tokens that this registry issues itself, to users of its htpasswd file. */
export interface OwnTokenConfig {
  readonly kind: 'own';
  readonly service: string;
  readonly lifetimeMs: number;
  /** Where clients reach the token endpoint, when it is not the address they came to. */
  readonly realm?: string;
}

/** Tokens of somebody else, checked by public key. */
export interface OutsideTokenConfig {
  readonly kind: 'outside';
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** Files: PEM keys or certificates, or sets of JSON web keys. */
  readonly keys: readonly string[];
}

/** Who may do what where. Nothing is allowed that no rule allows. */
export interface AccessRule {
  readonly repositories: readonly string[];
  /** Names; `*` is everybody who logged in. */
  readonly users: readonly string[];
  /** Also for those who did not log in. */
  readonly anonymous: boolean;
  readonly actions: readonly Action[];
}

export interface LimitsConfig {
  readonly blobBytes: number;
  readonly manifestBytes: number;
  /** The first that matches a repository holds. */
  readonly quotas: readonly { readonly repositories: readonly string[]; readonly bytes: number }[];
}

export interface TimeoutsConfig {
  readonly headersMs: number;
  readonly idleMs: number;
  readonly drainMs: number;
  /** The slowest pace of an upload. */
  readonly bytesPerSecond: number;
  readonly paceWindowMs: number;
}

export interface GcConfig {
  /** How often the server collects by itself; absent is never. */
  readonly everyMs?: number;
  /** Content is not collected before it has been unused for so long. */
  readonly graceMs: number;
  /** Uploads nobody went on with for so long are dropped. */
  readonly uploadsMs: number;
  /** Manifests without a tag that are older are removed; absent keeps them. */
  readonly untaggedMs?: number;
  readonly retention: readonly RetentionRule[];
}

/** Which tags stay: of those it matches, the newest `keepLast`, and all younger than `olderThanMs`. */
export interface RetentionRule {
  readonly repositories: readonly string[];
  readonly tags: readonly string[];
  readonly keepLast?: number;
  readonly olderThanMs?: number;
}

/** Repositories below `prefix` are those of the upstream. */
export interface CacheConfig {
  /** Without a slash at the end; empty for the whole registry. */
  readonly prefix: string;
  readonly upstream: string;
  readonly username?: string;
  readonly password?: string;
  /** How long a tag is served without asking upstream. */
  readonly ttlMs: number;
  /** Directory of authorities to trust and certificates to show, by host, as Docker's certs.d. */
  readonly certificates?: string;
}
