import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, hasErrno } from '../../errors/index.ts';

/** What a connection to one host trusts and shows. */
export interface HostTls {
  /** Instead of the usual authorities. */
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  /** False accepts any certificate. */
  readonly rejectUnauthorized?: boolean;
}

/**
 * Reads `DIR/HOST/` of each directory as Docker does: `*.crt` are authorities trusted beside the system's, `NAME.cert`
 * with `NAME.key` what the client shows. The first directory that has the host counts.
 */
export async function readHostTls(directories: readonly string[], host: string): Promise<HostTls> {
  for (const directory of directories) {
    const path = join(directory, host);
    const names = await listing(path);
    if (names === undefined) continue;
    const read = (name: string) => readFile(join(path, name), 'utf8');
    const own = await Promise.all(names.filter((name) => name.endsWith('.crt')).map(read));
    const certificate = names.find((name) => name.endsWith('.cert'));
    const key = certificate?.replace(/\.cert$/, '.key');
    if (key !== undefined && !names.includes(key)) {
      throw new EngineError(
        'invalidArgument',
        `missing key ${key} for client certificate ${certificate}. CA certificates must use the extension .crt`,
      );
    }
    return {
      ...(await trusted(own)),
      ...(certificate === undefined || key === undefined
        ? {}
        : { cert: await read(certificate), key: await read(key) }),
    };
  }
  return trusted([]);
}

async function listing(path: string): Promise<string[] | undefined> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Loaded with the first registry that is asked. */
async function trusted(own: readonly string[]): Promise<HostTls> {
  const { tlsAuthorities } = await import('../../lib/tls-authorities.ts');
  return { ca: tlsAuthorities(own) };
}
