import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hasErrno } from '../../../errors/index.ts';
import type { LogOptions } from '../drivers.ts';

export interface TlsFiles {
  /** An authority to trust beside the system's. */
  readonly authority?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized: boolean;
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOENT: 'no such file or directory',
};

/** Reads the files that the options name. Throws an Error with Docker's words for those it cannot use. */
export function readTlsFiles(options: LogOptions): TlsFiles {
  const path = (name: string) => options[`syslog-tls-${name}`] ?? '';
  // Its presence counts, whatever it says.
  const rejectUnauthorized = options['syslog-tls-skip-verify'] === undefined;
  const [authority, cert, key] = [path('ca-cert'), path('cert'), path('key')];
  return {
    ...(rejectUnauthorized && authority !== '' ? { authority: readAuthority(authority) } : {}),
    ...(cert === '' && key === '' ? {} : readPair(cert, key)),
    rejectUnauthorized,
  };
}

function readAuthority(path: string): string {
  const pem = read(path, (reason) => `could not read CA certificate ${JSON.stringify(path)}: ${reason}`);
  if (certificateIn(pem) !== undefined) return pem;
  throw new Error(`failed to append certificates from PEM file: ${JSON.stringify(path)}`);
}

function readPair(certPath: string, keyPath: string): { readonly cert: string; readonly key: string } {
  const words = (reason: string) => `could not load X509 key pair: ${reason}`;
  const [cert, key] = [read(certPath, words), read(keyPath, words)];
  const privateKey = keyIn(key);
  if (privateKey === undefined) throw new Error(words('no valid private key found'));
  const certificate = certificateIn(cert);
  if (certificate === undefined)
    throw new Error(words('tls: failed to find any PEM data in certificate input'));
  if (!certificate.checkPrivateKey(privateKey))
    throw new Error(words('tls: private key does not match public key'));
  return { cert, key };
}

function read(path: string, words: (reason: string) => string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = Object.entries(reasons).find(([code]) => hasErrno(error, code))?.[1];
    throw new Error(words(`open ${path}: ${reason ?? (error as Error).message}`), { cause: error });
  }
}

function certificateIn(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function keyIn(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
