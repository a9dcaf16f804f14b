import { isUtf8 } from 'node:buffer';
import { isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { EventTime, FluentClient, FluentSocketEvent } from '@fluent-org/logger';
import { raceAbort } from '../../../lib/keyed-lock.ts';
import { tlsAuthorities } from '../../../lib/tls-authorities.ts';
import type { LogOptions } from '../drivers.ts';
import { type FluentdAddress, parseFluentdOptions } from './fluentd-options.ts';
import type { LogLine, LogSink } from './sink.ts';

const connectMs = 10_000;
const ackMs = 30_000;
/** For a polite end. */
const endMs = 500;

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
  const closed = new AbortController();
  client.socketOn(FluentSocketEvent.ERROR, (error: Error) => {
    closed.abort(error);
  });
  client.socketOn(FluentSocketEvent.CLOSE, () => {
    closed.abort(new Error('the server closed the connection'));
  });
  /** A signal, as every race with a promise that stays pending would be kept by it. */
  const whileOpen = <T>(work: Promise<T>, signal: AbortSignal) =>
    raceAbort(raceAbort(work, closed.signal), signal);
  let connected = false;
  return {
    async send(lines, signal) {
      if (!connected) {
        await whileOpen(client.connect(), AbortSignal.any([signal, AbortSignal.timeout(connectMs)]));
        connected = true;
      }
      const sent = lines.map((line) => client.emit(recordOf(line, source), timeOf(line, subSecondPrecision)));
      await whileOpen(Promise.all(sent), signal);
    },
    [Symbol.asyncDispose]: async () => {
      // What was not sent is rejected, of which `send` has told.
      const ended = client.shutdown().catch(() => undefined);
      await Promise.race([ended, delay(endMs, undefined, { ref: false })]);
      breakOff(client);
    },
  };
}

/** The library offers a polite end only, which a server that takes nothing holds up for ever. */
function breakOff(client: FluentClient): void {
  const fatal = 0;
  (client['socket'] as { close(state: number): void }).close(fatal);
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
  const name = isIP(host) === 0 ? { servername: host } : {};
  return { host, port, tls: { ca: tlsAuthorities(), ...name } };
}
