import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
} from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyOptions, jwtVerify } from 'jose';
import { EngineError, hasErrno, messageOf } from '../../../errors/index.ts';

/** Never one with a shared secret: a public key must not serve as that. */
const algorithms = ['ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'EdDSA'];

/** The claims of a token whose signature is right. */
export type Claims = Readonly<Record<string, unknown>>;

export type Verify = (token: string, options: JWTVerifyOptions) => Promise<Claims>;

/** The registry's own key, made at the first start; processes that share the directory share it. */
export async function openOwnKey(path: string): Promise<KeyObject> {
  const read = async () => createPrivateKey(await readFile(path));
  try {
    return await read();
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const made = join(dirname(path), `${randomUUID()}.pem`);
  await writeFile(made, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flush: true });
  try {
    await link(made, path);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  } finally {
    await rm(made);
  }
  return read();
}

/** Verifies with one of several keys: of PEM files (keys or certificates) and JSON web key sets. */
export async function openVerifier(paths: readonly string[]): Promise<Verify> {
  const verifiers = await Promise.all(paths.map(readVerifier));
  return async (token, options) => {
    let last: unknown;
    for (const verify of verifiers) {
      try {
        return await verify(token, options);
      } catch (error) {
        last = error;
      }
    }
    throw last;
  };
}

export function verifierOf(key: KeyObject): Verify {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return async (token, options) => (await jwtVerify(token, publicKey, { algorithms, ...options })).payload;
}

async function readVerifier(path: string): Promise<Verify> {
  try {
    const text = await readFile(path, 'utf8');
    if (!text.trimStart().startsWith('{')) return verifierOf(createPublicKey(text));
    const set = createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
    return async (token, options) => (await jwtVerify(token, set, { algorithms, ...options })).payload;
  } catch (error) {
    throw new EngineError('invalidArgument', `Cannot read a key from ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
