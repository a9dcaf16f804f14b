import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply } from 'fastify';
import type { ProgressMessage } from '../api/index.ts';
import { buildExitCode } from '../build/index.ts';
import { codeOf, EngineError, isCode, messageOf } from '../errors/index.ts';
import { drained } from './drained.ts';
import { frame } from './frames.ts';
import { describeError } from './statuses.ts';

/** Sends status 200 and the headers at once; from here on an error can only be told in the body. */
export function begin(reply: FastifyReply, headers: Readonly<Record<string, string>>): ServerResponse {
  reply.hijack();
  reply.raw.writeHead(200, headersOf(reply, headers));
  reply.raw.flushHeaders();
  return reply.raw;
}

/** The headers set so far and these, for writing an answer without Fastify. */
export function headersOf(
  reply: FastifyReply,
  headers: Readonly<Record<string, string>>,
): Record<string, string> {
  const all: Record<string, string> = {};
  for (const [name, value] of Object.entries(reply.getHeaders())) all[name] = String(value);
  return { ...all, ...headers };
}

/** Bytes as they come. An error on the way breaks the connection, so that no client takes a part for the whole. */
export async function sendBytes(
  reply: FastifyReply,
  body: Readable,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const response = begin(reply, headers);
  try {
    await pipeline(body, response);
  } catch (error) {
    reply.log.debug({ err: error }, 'a streamed answer ended early');
    response.destroy();
  }
}

/** A container's log. An error on the way is Docker's stream 3, or with a terminal plain text. */
export async function sendLog(
  reply: FastifyReply,
  log: { readonly tty: boolean; readonly body: Readable },
  contentType: string,
): Promise<void> {
  const response = begin(reply, { 'Content-Type': contentType });
  try {
    await pipeline(log.body, response, { end: false });
  } catch (error) {
    if (response.destroyed) return;
    if (codeOf(error) !== 'cancelled') {
      const text = Buffer.from(`Error grabbing logs: ${messageOf(error)}\n`);
      response.write(log.tty ? text : frame('error', text));
    }
  }
  response.end();
}

/** One JSON object a line, each sent at once, headers before the first. Ends quietly when the signal aborts. */
export async function sendLines(
  reply: FastifyReply,
  items: AsyncIterable<object>,
  signal: AbortSignal,
): Promise<void> {
  const response = begin(reply, { 'Content-Type': 'application/json' });
  try {
    for await (const item of items) {
      if (!response.write(`${JSON.stringify(item)}\n`)) await drained(response, signal);
    }
  } catch (error) {
    if (!isCode(error, 'cancelled')) reply.log.error({ err: error }, 'a stream of objects ended early');
  }
  response.end();
}

/**
 * The progress of a long operation: objects ended by CR LF. Until the first message a failure is an ordinary error
 * answer (the returned promise rejects), after it a message with `errorDetail`; with `alwaysOk` it is such a message
 * even when it is the first. What may send much waits for `ready` between its messages: the client takes more, or is gone.
 */
export async function sendProgress(
  reply: FastifyReply,
  operation: (onProgress: (message: ProgressMessage) => void, ready: () => Promise<void>) => Promise<void>,
  { alwaysOk = false }: { readonly alwaysOk?: boolean } = {},
): Promise<void> {
  let begun: ServerResponse | undefined;
  const response = () => (begun ??= begin(reply, { 'Content-Type': 'application/json' }));
  const onProgress = (message: ProgressMessage) => {
    if (response().writable) response().write(`${JSON.stringify(message)}\r\n`);
  };
  const ready = async () => {
    if (begun !== undefined) await drained(begun);
  };
  try {
    await operation(onProgress, ready);
  } catch (error) {
    if (begun === undefined && !alwaysOk) throw withoutPrompt(error);
    const { message } = describeError(error);
    const code = buildExitCode(error);
    onProgress({ errorDetail: { ...(code === undefined ? {} : { code }), message }, error: message });
  }
  response().end();
}

/**
 * A registry's refusal is no 401 of ours here, as it is none of Docker's: its CLI would ask for a login, and wait for
 * ever where nobody can answer.
 */
function withoutPrompt(error: unknown): unknown {
  if (!isCode(error, 'unauthorized')) return error;
  return new EngineError('internal', messageOf(error), { cause: error });
}
