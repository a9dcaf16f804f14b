import { once } from 'node:events';
import { chown, lstat, mkdir, readFile, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { EngineError, hasErrno } from '../errors/index.ts';
import { addressOf } from '../lib/address-of.ts';

/** Paths of PEM files. With `verify` only clients with a certificate of `ca` may connect. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
  readonly verify: boolean;
}

/** Where to listen. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Read and write for owner and group: all others may not connect. */
const maskOfSocket = 0o117;

/** sun_path without its final zero. */
const longestSocketPath = 107;

/** Who may reach a daemon that was given no address: as in Docker, this host only. */
const defaultHost = 'localhost';

/** Parses `unix:///path` and `tcp://[address][:port]`; what is left out is Docker's. Throws `invalidArgument`. */
export function parseHost(text: string, tls: boolean): Address {
  // The URL of a browser cannot have a port without a host.
  const url = text.replace(/^tcp:\/\/:/, `tcp://${defaultHost}:`);
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    if (Buffer.byteLength(path) > longestSocketPath) {
      throw new EngineError(
        'invalidArgument',
        `invalid host ${JSON.stringify(text)}: the path of a socket is at most ${longestSocketPath} bytes long`,
      );
    }
    if (path.startsWith('/')) return { kind: 'unix', path };
  } else if (url.startsWith('tcp://') && URL.canParse(url)) {
    const { hostname, port, pathname } = new URL(url);
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    if (pathname === '' || pathname === '/') {
      return {
        kind: 'tcp',
        host: host || defaultHost,
        port: port === '' ? (tls ? 2376 : 2375) : Number(port),
      };
    }
  }
  throw new EngineError(
    'invalidArgument',
    `invalid host ${JSON.stringify(text)}: unix:///PATH or tcp://ADDRESS:PORT is expected`,
  );
}

/** Binds the server. A socket file nobody answers on is replaced. Returns the host with the port that was chosen. */
export async function bind(server: Server, address: Address): Promise<string> {
  const target = address.kind === 'unix' ? address : { ...address, host: await addressOf(address.host) };
  const { promise: failed, reject } = Promise.withResolvers<never>();
  server.once('error', reject);
  if (address.kind === 'unix') await clearStale(address.path);
  const listening = once(server, 'listening');
  if (target.kind === 'unix') listenUnix(server, target.path);
  else server.listen({ host: target.host, port: target.port });
  try {
    await Promise.race([listening, failed]);
  } catch (error) {
    const place =
      address.kind === 'unix' ? `unix://${address.path}` : `tcp://${address.host}:${address.port}`;
    if (!hasErrno(error, 'EADDRINUSE')) throw error;
    throw new EngineError('conflict', `Cannot listen on ${place}: address already in use`, { cause: error });
  } finally {
    server.off('error', reject);
  }
  if (address.kind === 'unix') {
    await giveToDockerGroup(address.path);
    return `unix://${address.path}`;
  }
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
  return `tcp://${address.host.includes(':') ? `[${address.host}]` : address.host}:${port}`;
}

/** The file gets its mode as it is made: at no time can others connect. */
function listenUnix(server: Server, path: string): void {
  const before = process.umask(maskOfSocket);
  try {
    server.listen({ path });
  } finally {
    process.umask(before);
  }
}

async function clearStale(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  try {
    if (!(await lstat(path)).isSocket()) {
      throw new EngineError('conflict', `Cannot listen on unix://${path}: the file there is not a socket`);
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    throw error;
  }
  if (await answers(path)) {
    throw new EngineError('conflict', `Cannot listen on unix://${path}: another daemon answers there`);
  }
  await rm(path, { force: true });
}

async function answers(path: string): Promise<boolean> {
  const socket = createConnection({ path });
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    if (hasErrno(error, 'ECONNREFUSED') || hasErrno(error, 'ENOENT')) return false;
    throw error;
  } finally {
    socket.destroy();
  }
}

async function giveToDockerGroup(path: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const groups = await readFile('/etc/group', 'utf8');
  const id = /^docker:[^:]*:(\d+):/m.exec(groups)?.[1];
  if (id !== undefined) await chown(path, 0, Number(id));
}
