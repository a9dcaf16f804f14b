import type { IncomingMessage } from 'node:http';
import { RegistryError } from '../protocol/registry-error.ts';

export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string };

/** Reads the Authorization header. Throws UNAUTHORIZED for one it does not understand. */
export function credentialsOf({ headers }: IncomingMessage): Credentials {
  const header = headers.authorization;
  if (header === undefined || header === '') return { kind: 'none' };
  const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(header) ?? [];
  if (scheme.toLowerCase() === 'bearer') return { kind: 'bearer', token: value };
  const [, user, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(value, 'base64').toString()) ?? [];
  if (scheme.toLowerCase() !== 'basic' || user === undefined || password === undefined) {
    throw new RegistryError('UNAUTHORIZED', 'unsupported Authorization header');
  }
  // Clients that have no credentials send this rather than nothing.
  return user === '' && password === '' ? { kind: 'none' } : { kind: 'basic', user, password };
}
