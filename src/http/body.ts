import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { EngineError } from '../errors/index.ts';
import { detached } from '../lib/detached.ts';
import { upgradeOf } from './upgrade.ts';

/** Most bytes of a JSON body. */
const limit = 8 << 20;

/** The JSON value of a request's body by Docker's rules; `undefined` without one. Throws `invalidArgument`. */
export async function readJson(request: FastifyRequest): Promise<unknown> {
  const hasBody = bodyExpected(request.raw);
  checkJsonType(request.headers['content-type'], hasBody);
  if (!hasBody) return undefined;
  const text = await readText(request.raw);
  if (text.trim() === '') throw invalid('got EOF while reading request body');
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (startsWithValue(text)) throw new EngineError('invalidArgument', 'unexpected content after JSON');
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
}

/** As `readJson`, for an object; without a body an empty one. */
export async function readObject(request: FastifyRequest): Promise<Record<string, unknown>> {
  const value = (await readJson(request)) ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw invalid(`cannot unmarshal ${Array.isArray(value) ? 'array' : typeof value} into an object`);
  }
  return value as Record<string, unknown>;
}

/** Gives `read` the body of a request. What it leaves of it runs out unread: some clients take no answer before. */
export async function readingBody(
  request: FastifyRequest,
  read: (body: Readable) => Promise<void>,
): Promise<void> {
  const body = detached(request.raw);
  try {
    await read(body);
  } finally {
    body.destroy();
  }
}

/** Whether the headers announce a body. */
export function bodyExpected(raw: IncomingMessage): boolean {
  const length = raw.headers['content-length'];
  return raw.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

function checkJsonType(header: string | undefined, hasBody: boolean): void {
  if (header === undefined && !hasBody) return;
  const type = (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/json') return;
  if (type === '')
    throw new EngineError('invalidArgument', 'malformed Content-Type header (): mime: no media type');
  throw new EngineError(
    'invalidArgument',
    `unsupported Content-Type header (${header}): must be 'application/json'`,
  );
}

async function readText(raw: IncomingMessage): Promise<string> {
  const upgraded = upgradeOf(raw);
  if (upgraded !== undefined) return upgraded.body.toString('utf8');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of raw) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > limit)
      throw new EngineError('invalidArgument', `the request body is larger than ${limit} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** True for a whole JSON object or array with something behind it. */
function startsWithValue(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at++;
      else if (character === '"') inString = false;
    } else if (character === '"') {
      inString = true;
    } else if (character === '{' || character === '[') {
      depth++;
    } else if ((character === '}' || character === ']') && --depth === 0) {
      return isJson(text.slice(0, at + 1));
    }
  }
  return false;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function invalid(reason: string, cause?: unknown): EngineError {
  return new EngineError('invalidArgument', `invalid JSON: ${reason}`, { cause });
}
