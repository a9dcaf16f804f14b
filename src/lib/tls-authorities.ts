import { getCACertificates } from 'node:tls';

/** Whom a TLS client trusts: what the system does, what Node brings along, and `own`. */
export function tlsAuthorities(own: readonly string[] = []): string[] {
  return [...getCACertificates('default'), ...getCACertificates('system'), ...own];
}
