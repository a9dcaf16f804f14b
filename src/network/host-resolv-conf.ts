import { readFile } from 'node:fs/promises';
import { hostResolvConf, isResolvedStub } from './files.ts';

/** The host's resolv.conf as the host itself reads it, and '' where there is none. */
export async function readPlainResolvConf(): Promise<string> {
  return readFile(hostResolvConf.plain, 'utf8').catch(() => '');
}

/** The same for other networks: systemd-resolved's own where the host's names only its stub. */
export async function readHostResolvConf(): Promise<string> {
  const plain = await readPlainResolvConf();
  return isResolvedStub(plain) ? readFile(hostResolvConf.resolved, 'utf8') : plain;
}
