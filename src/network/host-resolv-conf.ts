import { readFile } from 'node:fs/promises';
import { readOptional } from '../lib/missing-files.ts';
import { hostResolvConf, isResolvedStub } from './files.ts';

/** The host's resolv.conf as the host itself reads it, and '' where there is none. */
export async function readPlainResolvConf(path: string = hostResolvConf.plain): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** The same for other networks: systemd-resolved's own, if there is one, where the host's names only its stub. */
export async function readHostResolvConf({
  plain,
  resolved,
}: Readonly<Record<'plain' | 'resolved', string>> = hostResolvConf): Promise<string> {
  const text = await readPlainResolvConf(plain);
  return isResolvedStub(text) ? ((await readOptional(resolved)) ?? text) : text;
}
