import { readFile } from 'node:fs/promises';
import { hostResolvConf, isResolvedStub } from './files.ts';

/** The host's resolv.conf; systemd-resolved's own where the host's names only its stub, and '' where there is none. */
export async function readHostResolvConf(): Promise<string> {
  const plain = await readFile(hostResolvConf.plain, 'utf8').catch(() => '');
  return isResolvedStub(plain) ? readFile(hostResolvConf.resolved, 'utf8') : plain;
}
