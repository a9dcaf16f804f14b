import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { until } from './until.ts';

/** A server that takes what comes; the test reads it and closes it. */
export interface SyslogServer {
  /** What came so far, one character a byte. */
  text(): string;
  close(): Promise<void>;
}

type Address = { readonly port: number } | { readonly path: string };

/** A server on a stream socket, of loopback or in the file system, with or without TLS. */
export async function serveStream(
  address: Address,
  tls?: TlsOptions,
): Promise<SyslogServer & { readonly port: number }> {
  let text = '';
  const sockets = new Set<Socket>();
  const take = (socket: Socket) => {
    sockets.add(socket);
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => undefined);
  };
  const server: Server = tls === undefined ? createServer(take) : createTlsServer(tls, take);
  server.listen('port' in address ? { ...address, host: '127.0.0.1' } : address);
  await once(server, 'listening');
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    text: () => text,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const datagramServer = `
import os, socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
print('ready', flush=True)
while True: print(server.recv(65536).hex(), flush=True)
`;

/** A server on a datagram socket of the file system, which Node cannot make. `text` has a NUL after each datagram. */
export async function serveDatagrams(path: string): Promise<SyslogServer> {
  const child = spawn('python3', ['-c', datagramServer, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    output += chunk;
  });
  await until(
    () => output.startsWith('ready\n'),
    () => 'the datagram server is not ready',
  );
  return {
    text: () =>
      output
        .split('\n')
        .slice(1, -1)
        .map((hex) => `${Buffer.from(hex, 'hex').toString('latin1')}\0`)
        .join(''),
    close: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
