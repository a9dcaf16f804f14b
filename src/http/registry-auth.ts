import type { FastifyRequest } from 'fastify';
import type { Access, Credentials } from '../registry/index.ts';

/** `X-Registry-Auth` and `X-Meta-*`, for the registry of one image. What cannot be read is anonymous, as in Docker. */
export function accessOf(request: FastifyRequest): Access {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith('x-meta-') && typeof value === 'string') headers[name] = value;
  }
  const credentials = toCredentials(decoded(request.headers['x-registry-auth']));
  return { headers, ...(credentials === undefined ? {} : { credentials }) };
}

/** `X-Registry-Config`: credentials by registry, for the base images of a build. */
export function credentialsByHost(request: FastifyRequest): ReadonlyMap<string, Credentials> {
  const found = new Map<string, Credentials>();
  for (const [server, value] of Object.entries(decoded(request.headers['x-registry-config']) ?? {})) {
    const credentials = toCredentials(value);
    if (credentials !== undefined) found.set(hostOf(server), credentials);
  }
  return found;
}

/** Docker's AuthConfig; `undefined` if it says nothing of who one is. */
export function toCredentials(value: unknown): Credentials | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Readonly<Record<string, unknown>>;
  const text = (name: string) => {
    const field = fields[name];
    return typeof field === 'string' && field !== '' ? field : undefined;
  };
  const [name, ...rest] = Buffer.from(text('auth') ?? '', 'base64')
    .toString('utf8')
    .split(':');
  const username = text('username') ?? (name || undefined);
  const password = text('password') ?? (rest.length > 0 ? rest.join(':') : undefined);
  const identityToken = text('identitytoken');
  const registryToken = text('registrytoken');
  const credentials: Credentials = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(identityToken === undefined ? {} : { identityToken }),
    ...(registryToken === undefined ? {} : { registryToken }),
  };
  return Object.keys(credentials).length === 0 ? undefined : credentials;
}

/** `https://index.docker.io/v1/` stands for the Hub in every client's configuration. */
function hostOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
  return host === 'index.docker.io' ? 'docker.io' : host;
}

function decoded(header: string | string[] | undefined): object | undefined {
  if (typeof header !== 'string' || header === '') return undefined;
  try {
    // Node's decoder takes both alphabets of base64, padded or not.
    const value = JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as unknown;
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
