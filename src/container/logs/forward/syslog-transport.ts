import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, isIP, isIPv6, type Socket } from 'node:net';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { connectDatagram } from '../../../lib/fd-socket.ts';
import { tlsAuthorities } from '../../../lib/tls-authorities.ts';
import type { LogOptions } from '../drivers.ts';
import type { SyslogAddress } from './syslog-options.ts';
import { readTlsFiles } from './syslog-tls.ts';

const connectMs = 10_000;
const acceptMs = 500;
const localSockets = ['/dev/log', '/var/run/syslog', '/var/run/log'];

/** A way to a server: each write is a message, or some of them on a stream. */
export interface Transport extends Disposable {
  readonly datagrams: boolean;
  write(bytes: Buffer): Promise<void>;
}

/** Connects. Rejects when the signal aborts; what has been opened by then is closed. */
export async function openTransport(
  address: SyslogAddress,
  options: LogOptions,
  signal: AbortSignal,
): Promise<Transport> {
  switch (address.kind) {
    case 'udp':
      return openUdp(address.host, address.port, signal);
    case 'local':
      return openLocal(localSockets, signal);
    case 'unixgram':
      return onStream(await connectDatagram(address.path), true);
    case 'unix':
      return onStream(await connected(connect({ path: address.path }), 'connect', signal), false);
    case 'tcp':
      return onStream(
        await connected(connect({ host: address.host, port: address.port }), 'connect', signal),
        false,
      );
    case 'tcp+tls': {
      const { host, port } = address;
      const name = isIP(host) === 0 ? { servername: host } : {};
      const { authority, ...files } = readTlsFiles(options);
      const ca = tlsAuthorities(authority === undefined ? [] : [authority]);
      const socket = connectTls({ host, port, ...name, ca, ...files });
      const admitted = admission(socket);
      const transport = onStream(await connected(socket, 'secureConnect', signal), false);
      if (socket.getProtocol() === 'TLSv1.3') await Promise.race([admitted, delay(acceptMs)]);
      return transport;
    }
  }
}

/** The machine's own server: datagrams before streams, at the first place where one answers. */
export async function openLocal(paths: readonly string[], signal: AbortSignal): Promise<Transport> {
  const failures: unknown[] = [];
  for (const kind of ['unixgram', 'unix'] as const) {
    for (const path of paths) {
      try {
        return await openTransport({ kind, path }, {}, signal);
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error);
      }
    }
  }
  throw new Error('Unix syslog delivery error', { cause: new AggregateError(failures) });
}

async function openUdp(host: string, port: number, signal: AbortSignal): Promise<Transport> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  let failure: Error | undefined;
  // Nobody listens, says the host of a message before: the next write fails.
  socket.on('error', (error) => {
    failure = error;
  });
  socket.connect(port, host);
  try {
    await once(socket, 'connect', { signal });
  } catch (error) {
    socket.close();
    throw error;
  }
  return {
    datagrams: true,
    write: async (bytes) => {
      if (failure !== undefined) throw failure;
      const sent = Promise.withResolvers<void>();
      socket.send(bytes, (error) => {
        if (error === null) sent.resolve();
        else sent.reject(error);
      });
      await sent.promise;
    },
    [Symbol.dispose]: () => {
      socket.close();
    },
  };
}

async function connected(socket: Socket, event: string, signal: AbortSignal): Promise<Socket> {
  try {
    await once(socket, event, { signal: AbortSignal.any([signal, AbortSignal.timeout(connectMs)]) });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/**
 * With TLS 1.3 the handshake is over for us before the server has looked at our certificate: resolves with the ticket
 * of one that took it, or when the connection ends.
 */
async function admission(socket: TLSSocket): Promise<void> {
  const told = Promise.withResolvers<void>();
  for (const event of ['session', 'end', 'close']) socket.once(event, () => told.resolve());
  await told.promise;
  // Of the ticket OpenSSL tells while it reads; what is written before it is done with that is garbled.
  await nextTurn();
}

function onStream(stream: Socket, datagrams: boolean): Transport {
  let failure: Error | undefined;
  stream.on('error', (error: Error) => {
    failure = error;
  });
  // A server that closes its end is found at once, and not with the second write.
  stream.on('end', () => {
    failure ??= new Error('the server closed the connection');
  });
  stream.resume();
  return {
    datagrams,
    write: async (bytes) => {
      if (failure !== undefined) throw failure;
      const written = Promise.withResolvers<void>();
      stream.write(bytes, (error) => {
        if (error === null || error === undefined) written.resolve();
        else written.reject(error);
      });
      await written.promise;
    },
    [Symbol.dispose]: () => {
      stream.end();
      stream.destroy();
    },
  };
}
