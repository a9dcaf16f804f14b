import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './daemon.ts';

/** Paths of a certificate and its key. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority of the test's own, which nobody knows. */
export interface Authority {
  /** The path of its certificate. */
  readonly ca: string;
  /** Signs a certificate for alternative names as openssl takes them: `DNS:a.test,IP:127.0.0.1`. */
  certificateFor(name: string, alternatives: string): Certificate;
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export function makeAuthority(directory: string): Authority {
  mkdirSync(directory, { recursive: true });
  const path = (file: string) => join(directory, file);
  const [ca, caKey] = [path('ca.crt'), path('ca.key')];
  const named = ['-subj', '/CN=test authority'];
  openssl('req', '-x509', ...newKey, '-keyout', caKey, '-out', ca, ...named);
  return {
    ca,
    certificateFor(name, alternatives) {
      const [cert, key] = [path(`${name}.cert.pem`), path(`${name}.key.pem`)];
      openssl('req', ...newKey, '-keyout', key, '-out', path('csr.pem'), '-subj', `/CN=${name}`);
      writeFileSync(path('san'), `subjectAltName=${alternatives}`);
      const by = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-extfile', path('san')];
      openssl('x509', '-req', '-in', path('csr.pem'), ...by, '-out', cert);
      return { cert, key };
    },
  };
}

function openssl(...args: string[]): void {
  const { code, stderr } = runCommand('openssl', args);
  assert.equal(code, 0, stderr);
}
