import { isUtf8 } from 'node:buffer';
import { isIPv6 } from 'node:net';
import { EventTime, FluentClient, FluentSocketEvent } from '@fluent-org/logger';
import { raceAbort } from '../../../lib/keyed-lock.ts';
import type { LogOptions } from '../drivers.ts';
import { type FluentdAddress, parseFluentdOptions } from './fluentd-options.ts';
import type { LogLine, LogSink } from './sink.ts';

const ackMs = 30_000;

/** Of a container, with every line. */
export interface FluentdSource {
  readonly tag: string;
  readonly containerId: string;
  /** With its slash. */
  readonly containerName: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A fluentd (or Fluent Bit) server that takes the forward protocol, as the options of a container name it. */
export function createFluentdSink(source: FluentdSource, options: LogOptions): LogSink {
  const { address, requestAck, subSecondPrecision } = parseFluentdOptions(options);
  const client = new FluentClient(source.tag, {
    eventMode: 'Forward',
    ...(requestAck ? { ack: { ackTimeout: ackMs } } : {}),
    // We know best what to send again.
    socket: { ...socketOptions(address), disableReconnect: true, timeout: -1 },
  });
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => undefined);
  client.socketOn(FluentSocketEvent.ERROR, (error: Error) => {
    closed.reject(error);
  });
  client.socketOn(FluentSocketEvent.CLOSE, () => {
    closed.reject(new Error('the server closed the connection'));
  });
  let connected: Promise<void> | undefined;
  return {
    async send(lines, signal) {
      connected ??= client.connect();
      await raceAbort(Promise.race([connected, closed.promise]), signal);
      const sent = lines.map((line) => client.emit(recordOf(line, source), timeOf(line, subSecondPrecision)));
      await raceAbort(Promise.race([Promise.all(sent), closed.promise]), signal);
    },
    [Symbol.asyncDispose]: async () => {
      // What was not sent is rejected, of which `send` has told.
      await client.shutdown().catch(() => undefined);
    },
  };
}

function recordOf({ stream, data, piece }: LogLine, source: FluentdSource): Record<string, unknown> {
  return {
    container_id: source.containerId,
    container_name: source.containerName,
    source: stream,
    // As bytes where it is no text.
    log: isUtf8(data) ? data.toString() : data,
    ...source.attributes,
    ...(piece === undefined
      ? {}
      : {
          partial_message: 'true',
          partial_id: piece.id,
          partial_ordinal: String(piece.ordinal),
          partial_last: String(piece.last),
        }),
  };
}

function timeOf({ time }: LogLine, subSecond: boolean): EventTime | Date {
  const date = new Date(time);
  if (!subSecond) return date;
  return new EventTime(Math.floor(date.getTime() / 1000), Number(time.slice(20, 29)));
}

function socketOptions(address: FluentdAddress) {
  if (address.kind === 'unix') return { path: address.path };
  const { host, port } = address;
  if (address.kind === 'tcp') return { host, port };
  return { host, port, tls: isIPv6(host) ? {} : { servername: host } };
}
