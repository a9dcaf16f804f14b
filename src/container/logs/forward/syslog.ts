import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, isIPv6, type Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Writable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { connectDatagram } from '../../../lib/fd-socket.ts';
import { raceAbort } from '../../../lib/keyed-lock.ts';
import type { LogOptions } from '../drivers.ts';
import type { LogSink } from './sink.ts';
import { type SyslogHeader, syslogMessage } from './syslog-format.ts';
import { parseSyslogOptions, readTlsOptions, type SyslogAddress } from './syslog-options.ts';

const connectMs = 10_000;

/** A way to a server: each write is a message, or some of them on a stream. */
interface Transport extends Disposable {
  readonly datagrams: boolean;
  write(bytes: Buffer): Promise<void>;
}

/** A syslog server, as the options of a container name it. */
export function createSyslogSink(tag: string, options: LogOptions): LogSink {
  const { address, facility, format } = parseSyslogOptions(options);
  const framing = address.kind === 'tcp+tls' && format.startsWith('rfc5424') ? 'length' : 'newline';
  const header: SyslogHeader = { facility, hostname: hostname(), tag, pid: process.pid };
  let transport: Promise<Transport> | undefined;
  return {
    async send(lines, signal) {
      transport ??= open(address, options);
      const opened = await raceAbort(transport, signal);
      // Docker sends no empty lines.
      const messages = lines
        .filter(({ data }) => data.length > 0)
        .map((line) => syslogMessage(line, header, { format, framing }));
      for (const bytes of opened.datagrams ? messages : [Buffer.concat(messages)])
        await raceAbort(opened.write(bytes), signal);
    },
    [Symbol.asyncDispose]: async () => {
      const opened = await transport?.catch(() => undefined);
      opened?.[Symbol.dispose]();
    },
  };
}

async function open(address: SyslogAddress, options: LogOptions): Promise<Transport> {
  switch (address.kind) {
    case 'udp':
      return openUdp(address.host, address.port);
    case 'unixgram':
      return onStream(await connectDatagram(address.path), true);
    case 'unix':
      return onStream(await connected(connect({ path: address.path }), 'connect'), false);
    case 'tcp':
      return onStream(await connected(connect({ host: address.host, port: address.port }), 'connect'), false);
    case 'tcp+tls': {
      const { host, port } = address;
      const tls = { host, port, ...(isIPv6(host) ? {} : { servername: host }), ...readTlsOptions(options) };
      return onStream(await connected(connectTls(tls), 'secureConnect'), false);
    }
  }
}

async function openUdp(host: string, port: number): Promise<Transport> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  let failure: Error | undefined;
  // Nobody listens, says the host of a message before: the next write fails.
  socket.on('error', (error) => {
    failure = error;
  });
  socket.connect(port, host);
  await once(socket, 'connect');
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

async function connected(socket: Socket, event: string): Promise<Socket> {
  try {
    await once(socket, event, { signal: AbortSignal.timeout(connectMs) });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function onStream(stream: Writable & { resume(): unknown }, datagrams: boolean): Transport {
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
