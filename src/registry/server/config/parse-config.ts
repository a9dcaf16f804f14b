import { EngineError } from '../../../errors/index.ts';
import type { Action } from '../protocol/exchange.ts';
import {
  boolean,
  bytes,
  count,
  duration,
  type Fields,
  listOf,
  objectOf,
  oneOf,
  optional,
  required,
  string,
  wrong,
} from './fields.ts';
import type {
  AccessRule,
  AuthConfig,
  CacheConfig,
  GcConfig,
  LimitsConfig,
  OutsideTokenConfig,
  OwnTokenConfig,
  RegistryConfig,
  RetentionRule,
  TimeoutsConfig,
} from './registry-config.ts';

const hour = 3_600_000;

/** Reads the document of a configuration file, in full. Throws `invalidArgument` naming the field. */
export function parseRegistryConfig(document: unknown): RegistryConfig {
  const known = ['tls', 'auth', 'limits', 'timeouts', 'gc', 'retention', 'cache', 'metrics', 'log'];
  const fields = objectOf(document ?? {}, 'the file', known);
  const tls = optional(fields, '', 'tls', tlsOf);
  const auth = optional(fields, '', 'auth', authOf);
  const retention = optional(fields, '', 'retention', listOf(retentionOf)) ?? [];
  return Object.freeze({
    ...(tls === undefined ? {} : { tls }),
    ...(auth === undefined ? {} : { auth }),
    limits: limitsOf(fields['limits'] ?? {}, 'limits'),
    timeouts: timeoutsOf(fields['timeouts'] ?? {}, 'timeouts'),
    gc: { ...gcOf(fields['gc'] ?? {}, 'gc'), retention },
    caches: optional(fields, '', 'cache', listOf(cacheOf)) ?? [],
    metrics: metricsOf(fields['metrics'] ?? {}, 'metrics'),
    log: logOf(fields['log'] ?? {}, 'log'),
  });
}

function tlsOf(value: unknown, path: string) {
  const fields = objectOf(value, path, ['cert', 'key', 'clientCa']);
  return {
    cert: required(fields, path, 'cert', string),
    key: required(fields, path, 'key', string),
    ...present('clientCa', optional(fields, path, 'clientCa', string)),
  };
}

function authOf(value: unknown, path: string): AuthConfig {
  const fields = objectOf(value, path, ['htpasswd', 'token', 'rules']);
  const htpasswd = optional(fields, path, 'htpasswd', string);
  const token = optional(fields, path, 'token', tokenOf);
  if (htpasswd === undefined && token?.kind !== 'outside') {
    throw wrong(path, 'given a htpasswd file, or a token section with an outside issuer');
  }
  return {
    ...present('htpasswd', htpasswd),
    ...present('token', token),
    rules: optional(fields, path, 'rules', listOf(ruleOf)) ?? [],
  };
}

function tokenOf(value: unknown, path: string): OwnTokenConfig | OutsideTokenConfig {
  const fields = objectOf(value, path, ['service', 'lifetime', 'realm', 'issuer', 'keys']);
  const service = required(fields, path, 'service', string);
  const realm = optional(fields, path, 'realm', string);
  if (realm !== undefined && !URL.canParse(realm)) throw wrong(`${path}.realm`, 'a URL');
  if (fields['issuer'] === undefined && fields['keys'] === undefined) {
    const lifetimeMs = optional(fields, path, 'lifetime', duration) ?? hour / 12;
    return { kind: 'own', service, lifetimeMs, ...present('realm', realm) };
  }
  if (realm === undefined) throw wrong(`${path}.realm`, 'given with an outside issuer');
  if (fields['lifetime'] !== undefined) throw wrong(`${path}.lifetime`, 'left to the outside issuer');
  const keys = required(fields, path, 'keys', listOf(string));
  if (keys.length === 0) throw wrong(`${path}.keys`, 'a list of at least one file');
  return { kind: 'outside', realm, service, issuer: required(fields, path, 'issuer', string), keys };
}

function ruleOf(value: unknown, path: string): AccessRule {
  const fields = objectOf(value, path, ['repositories', 'users', 'anonymous', 'actions']);
  const users = optional(fields, path, 'users', listOf(string)) ?? [];
  const anonymous = optional(fields, path, 'anonymous', boolean) ?? false;
  const actions = required(fields, path, 'actions', listOf(oneOf<Action>('pull', 'push', 'delete')));
  if (anonymous && actions.some((action) => action !== 'pull')) {
    throw wrong(`${path}.actions`, 'only pull where anonymous is true');
  }
  if (!anonymous && users.length === 0) throw wrong(path, 'given users, or anonymous: true');
  return { repositories: repositoriesOf(fields, path), users, anonymous, actions };
}

function limitsOf(value: unknown, path: string): LimitsConfig {
  const fields = objectOf(value, path, ['blob', 'manifest', 'quotas']);
  const quotaOf = (one: unknown, at: string) => {
    const quota = objectOf(one, at, ['repositories', 'bytes']);
    return { repositories: repositoriesOf(quota, at), bytes: required(quota, at, 'bytes', bytes) };
  };
  return {
    blobBytes: optional(fields, path, 'blob', bytes) ?? Number.MAX_SAFE_INTEGER,
    manifestBytes: optional(fields, path, 'manifest', bytes) ?? 4 << 20,
    quotas: optional(fields, path, 'quotas', listOf(quotaOf)) ?? [],
  };
}

function timeoutsOf(value: unknown, path: string): TimeoutsConfig {
  const known = ['headers', 'idle', 'drain', 'bytesPerSecond', 'paceWindow'];
  const fields = objectOf(value, path, known);
  return {
    headersMs: optional(fields, path, 'headers', duration) ?? 15_000,
    idleMs: optional(fields, path, 'idle', duration) ?? 60_000,
    drainMs: optional(fields, path, 'drain', duration) ?? 30_000,
    bytesPerSecond: optional(fields, path, 'bytesPerSecond', bytes) ?? 1_024,
    paceWindowMs: optional(fields, path, 'paceWindow', duration) ?? 30_000,
  };
}

function gcOf(value: unknown, path: string): Omit<GcConfig, 'retention'> {
  const fields = objectOf(value, path, ['every', 'grace', 'uploads', 'untagged']);
  const everyMs = optional(fields, path, 'every', duration);
  if (everyMs !== undefined && everyMs < 1_000) throw wrong(`${path}.every`, 'at least 1s');
  return {
    ...present('everyMs', everyMs),
    graceMs: optional(fields, path, 'grace', duration) ?? 24 * hour,
    uploadsMs: optional(fields, path, 'uploads', duration) ?? 7 * 24 * hour,
    ...present('untaggedMs', optional(fields, path, 'untagged', duration)),
  };
}

function retentionOf(value: unknown, path: string): RetentionRule {
  const fields = objectOf(value, path, ['repositories', 'tags', 'keepLast', 'olderThan']);
  const keepLast = optional(fields, path, 'keepLast', count);
  const olderThanMs = optional(fields, path, 'olderThan', duration);
  if (keepLast === undefined && olderThanMs === undefined) {
    throw wrong(path, 'given keepLast, olderThan or both');
  }
  return {
    repositories: repositoriesOf(fields, path),
    tags: optional(fields, path, 'tags', listOf(string)) ?? ['*'],
    ...present('keepLast', keepLast),
    ...present('olderThanMs', olderThanMs),
  };
}

function cacheOf(value: unknown, path: string): CacheConfig {
  const fields = objectOf(value, path, ['prefix', 'upstream', 'username', 'password', 'ttl', 'certificates']);
  const upstream = required(fields, path, 'upstream', string);
  if (!/^https?:\/\//.test(upstream) || !URL.canParse(upstream)) {
    throw wrong(`${path}.upstream`, 'a URL, https://HOST');
  }
  const username = optional(fields, path, 'username', string);
  const password = optional(fields, path, 'password', string);
  if ((username === undefined) !== (password === undefined)) {
    throw wrong(path, 'given username and password, or neither');
  }
  return {
    prefix: typeof fields['prefix'] === 'string' ? fields['prefix'].replace(/\/+$/, '') : '',
    upstream,
    ...present('username', username),
    ...present('password', password),
    ttlMs: optional(fields, path, 'ttl', duration) ?? 5 * 60_000,
    ...present('certificates', optional(fields, path, 'certificates', string)),
  };
}

function metricsOf(value: unknown, path: string) {
  return present('host', optional(objectOf(value, path, ['host']), path, 'host', string));
}

function logOf(value: unknown, path: string) {
  const fields = objectOf(value, path, ['level', 'access']);
  const level = optional(fields, path, 'level', oneOf('debug', 'info', 'warn', 'error'));
  return { level: level ?? 'info', access: optional(fields, path, 'access', boolean) ?? true };
}

function repositoriesOf(fields: Fields, path: string): readonly string[] {
  const patterns = required(fields, path, 'repositories', listOf(string));
  if (patterns.length === 0) {
    throw new EngineError('invalidArgument', `invalid configuration: ${path}.repositories is empty`);
  }
  return patterns;
}

function present<const K extends string, T>(name: K, value: T | undefined): { readonly [P in K]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [P in K]?: T };
}
