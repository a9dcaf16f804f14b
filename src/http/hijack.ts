import type { Duplex, Readable, Writable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Session } from '../container/index.ts';
import { codeOf, isCode, messageOf } from '../errors/index.ts';
import { DetachFilter } from '../lib/detach-keys.ts';
import { raceAbort } from '../lib/keyed-lock.ts';
import { bodyExpected } from './body.ts';
import type { Calls } from './calls.ts';
import { drained } from './drained.ts';
import { ContentType, frame, streamType } from './frames.ts';
import { headersOf } from './streams.ts';
import { upgradeOf } from './upgrade.ts';

/** How long a client may leave its half of the connection open after it has taken all of ours. */
const lingerMs = 5_000;

/** A client's connection as two byte streams. */
export interface Connection {
  /** `undefined` where the client cannot send (a plain request without a body). */
  readonly input: Readable | undefined;
  readonly output: Writable;
  /** The output goes as it is; otherwise in frames that name its streams. */
  readonly raw: boolean;
  /** Aborts when the connection is gone. */
  readonly closed: AbortSignal;
  /** The socket itself, where it has left HTTP. */
  readonly socket?: Duplex;
}

export interface TakeOverOptions {
  /** Whether the client expects a terminal's output, which is not framed. */
  readonly tty: boolean;
  readonly api: number;
  readonly calls: Calls;
  /** The request's body has been read as JSON, so it is not input. */
  readonly bodyRead: boolean;
}

/**
 * Takes the connection of a request over: with `Upgrade` by 101, both ways on the socket; without by 200, where the
 * request's body is the input and the answer lasts until the connection closes.
 */
export function takeOver(request: FastifyRequest, reply: FastifyReply, options: TakeOverOptions): Connection {
  const closed = options.calls.signalOf(request, reply);
  reply.hijack();
  const upgrade = upgradeOf(request.raw);
  if (upgrade === undefined) {
    const { raw } = reply;
    raw.useChunkedEncodingByDefault = false;
    raw.shouldKeepAlive = false;
    raw.writeHead(200, headersOf(reply, { 'Content-Type': ContentType.raw }));
    raw.flushHeaders();
    const input = !options.bodyRead && bodyExpected(request.raw) ? request.raw : undefined;
    return { input, output: raw, raw: options.tty, closed };
  }
  const { socket } = upgrade;
  reply.raw.removeAllListeners('finish');
  reply.raw.detachSocket(socket as Parameters<typeof reply.raw.detachSocket>[0]);
  options.calls.track(socket);
  const headers = headersOf(reply, {
    'Content-Type': streamType(options.tty, options.api),
    Connection: 'Upgrade',
    Upgrade: 'tcp',
  });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
  socket.write(`HTTP/1.1 101 UPGRADED\r\n${lines.join('')}\r\n`);
  return { input: socket, output: socket, raw: options.tty, closed, socket };
}

export interface ServeOptions {
  /** Only with a terminal: the keys that make the client leave. */
  readonly detachKeys: Buffer;
  readonly log: FastifyReply['log'];
}

/**
 * Joins a client and a process until the process closes its output or the client goes. The client's end of input
 * closes stdin only. Ends with the session disposed and the connection closed.
 */
export async function serveSession(
  connection: Connection,
  session: Session,
  options: ServeOptions,
): Promise<void> {
  try {
    await using _session = session;
    await relay(connection, session, options);
    // Before the session is let go of: the client has all it will get.
    closeConnection(connection);
  } catch (error) {
    options.log.warn({ err: error }, 'an attached session did not end cleanly');
  }
}

async function relay(connection: Connection, session: Session, options: ServeOptions): Promise<void> {
  const left = new AbortController();
  const gone = AbortSignal.any([connection.closed, left.signal]);
  const input = pumpInput(connection, session, { ...options, leave: () => left.abort() });
  input.catch((error: unknown) => {
    options.log.debug({ err: error }, 'input of an attached client ended early');
  });
  try {
    await raceAbort(pumpOutput(session, connection, gone), gone);
  } catch (error) {
    if (gone.aborted || isCode(error, 'cancelled')) return;
    options.log.warn({ err: error }, 'output of an attached client ended early');
    const text = Buffer.from(`${messageOf(error)}\r\n`);
    connection.output.write(connection.raw ? text : frame('error', text));
  }
}

/** Ends a taken-over connection with a text where the process's output would be. */
export function endWithText(connection: Connection, text: string): void {
  const line = Buffer.from(`${text}\r\n`);
  connection.output.write(connection.raw ? line : frame('stdout', line));
  connection.input?.resume();
  closeConnection(connection);
}

async function pumpOutput(session: Session, { output, raw }: Connection, gone: AbortSignal): Promise<void> {
  for await (const { stream, data } of session.output) {
    if (gone.aborted) return;
    const room = output.write(raw ? data : frame(stream, data));
    if (!room) await drained(output, gone);
  }
}

async function pumpInput(
  { input, closed }: Connection,
  session: Session,
  { detachKeys, leave }: ServeOptions & { readonly leave: () => void },
): Promise<void> {
  if (input === undefined) return;
  const stdin = session.input;
  if (stdin === undefined) {
    // Reading is what notices that the client goes.
    input.resume();
    return;
  }
  let broken = false;
  stdin.on('error', () => {
    // The process closed its stdin or ended; its output still flows.
    broken = true;
  });
  const forward = (data: Buffer) => {
    if (!broken && stdin.writable) stdin.write(data);
  };
  const filter = session.tty && detachKeys.length > 0 ? new DetachFilter(detachKeys, forward) : undefined;
  try {
    for await (const chunk of input.iterator({ destroyOnReturn: false })) {
      const data = chunk as Buffer;
      if (filter === undefined) forward(data);
      else if (filter.push(data)) {
        leave();
        session.onDetach?.();
        return;
      }
      if (!broken) await drained(stdin, closed);
    }
  } catch (error) {
    if (!closed.aborted && codeOf(error) !== 'cancelled') throw error;
    return;
  }
  filter?.flush();
  if (!broken && stdin.writable) stdin.end();
}

/** Ends our half; the client's is broken off if it does not follow. */
export function closeConnection({ output, closed, socket }: Connection): void {
  if (closed.aborted || output.destroyed) return;
  output.end();
  if (socket === undefined) return;
  socket.resume();
  // Not before: what a slow client has yet to take would be lost with the socket.
  socket.once('finish', () => {
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    timer.unref();
    socket.once('close', () => {
      clearTimeout(timer);
    });
  });
}
