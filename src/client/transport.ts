import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { addAbortSignal, type Duplex, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EngineError, type ErrorCode, hasErrno, isAbortError } from '../errors/index.ts';
import { parseHost } from './host.ts';

// `import` of node:http would touch every lazy export of it, and so load all of undici: 50 ms of a command's start.
const { Agent, request } = process.getBuiltinModule('node:http');

export interface TlsFiles {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** False accepts any certificate. */
  readonly verify: boolean;
}

export interface TransportOptions {
  /** `unix:///path` or `tcp://host:port`. */
  readonly host: string;
  readonly tls?: TlsFiles;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A fixed API version, `1.41`; without it the newest both sides know is used. */
  readonly apiVersion?: string;
  /** Newest API version this client knows. */
  readonly newestApiVersion: string;
}

export type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface CallOptions {
  readonly query?: Readonly<Record<string, QueryValue>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is, with `contentType`; destroyed if the call fails. */
  readonly body?: Readable;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export interface PingResult {
  readonly apiVersion: string;
  readonly osType: string;
}

/** One connection to a daemon: requests, and connections taken over for stdio. */
export interface Transport extends Disposable {
  readonly host: string;
  /** The API version in use; negotiated by the first call. */
  readonly version: (signal?: AbortSignal) => Promise<string>;
  readonly ping: (signal?: AbortSignal) => Promise<PingResult>;
  /** The answer with its body still to be read. Error statuses reject with the daemon's message. */
  open(method: string, path: string, options?: CallOptions): Promise<IncomingMessage>;
  /** The parsed JSON body; `undefined` for an empty one. */
  readonly call: <T>(method: string, path: string, options?: CallOptions) => Promise<T>;
  /** Takes the connection over: what is written goes to stdin, ending the duplex half-closes it. */
  hijack(
    method: string,
    path: string,
    options?: CallOptions,
  ): Promise<{ duplex: Duplex; contentType: string }>;
}

const maxJsonBytes = 256 << 20;

const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  304: 'notModified',
  400: 'invalidArgument',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'notFound',
  409: 'conflict',
  501: 'notImplemented',
  503: 'unavailable',
  507: 'outOfSpace',
};

/** Why a call failed: the status the daemon answered with. It is the `cause` of the error. */
export interface ResponseCause {
  readonly status: number;
  readonly path: string;
}

/** The HTTP status if the daemon itself refused the call, `undefined` for errors on this side. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof EngineError)) return undefined;
  const { cause } = error;
  if (typeof cause !== 'object' || cause === null || !('status' in cause)) return undefined;
  return typeof cause.status === 'number' ? cause.status : undefined;
}

/** True when no daemon answers at the address. */
export function isUnreachable(error: unknown): error is EngineError {
  if (!(error instanceof EngineError) || error.code !== 'unavailable') return false;
  return hasErrno(error.cause, 'ENOENT') || hasErrno(error.cause, 'ECONNREFUSED');
}

export function createTransport(options: TransportOptions): Transport {
  const address = parseHost(options.host);
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  const target: RequestOptions =
    address.kind === 'unix'
      ? { socketPath: address.path, host: 'localhost' }
      : { hostname: address.hostname, port: address.port };
  const base = address.kind === 'tcp' ? address.basePath : '';
  let negotiated: Promise<string> | undefined;

  async function send(method: string, path: string, call: CallOptions, upgrade: boolean): Promise<Answer> {
    call.signal?.throwIfAborted();
    const headers: Record<string, string> = {
      ...options.headers,
      'User-Agent': 'gantry-client',
      ...call.headers,
    };
    const payload = call.json === undefined ? undefined : Buffer.from(JSON.stringify(call.json));
    if (payload !== undefined) {
      headers['Content-Type'] = 'application/json';
      headers['Content-Length'] = String(payload.length);
    } else if (call.body !== undefined) {
      headers['Content-Type'] = call.contentType ?? 'application/octet-stream';
    } else if (method === 'POST') headers['Content-Length'] = '0';
    if (upgrade) Object.assign(headers, { Connection: 'Upgrade', Upgrade: 'tcp' });
    const secure = options.tls === undefined ? undefined : await secureOptions(options.tls);
    const outgoing = (secure?.request ?? request)({
      ...target,
      ...(secure?.options ?? {}),
      method,
      path: `${base}${path}${queryText(call.query)}`,
      headers,
      ...(secure === undefined ? { agent: upgrade ? false : agent } : {}),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
    const answered = answerOf(outgoing, options.host);
    if (payload !== undefined) outgoing.end(payload);
    else if (call.body === undefined) outgoing.end();
    else return upload(call.body, outgoing, answered);
    return answered;
  }

  async function open(method: string, path: string, call: CallOptions = {}): Promise<IncomingMessage> {
    const version = await negotiate(call.signal);
    const { response } = await send(method, `/v${version}${path}`, call, false);
    if (response.statusCode === undefined || response.statusCode >= 300)
      throw await failureOf(response, path);

    return call.signal === undefined ? response : addAbortSignal(call.signal, response);
  }

  async function ping(signal?: AbortSignal): Promise<PingResult> {
    const { response } = await send('HEAD', '/_ping', { signal }, false);
    response.resume();
    const apiVersion = response.headers['api-version'];
    const osType = response.headers['ostype'];
    return {
      apiVersion: typeof apiVersion === 'string' ? apiVersion : '1.24',
      osType: typeof osType === 'string' ? osType : 'linux',
    };
  }

  function negotiate(signal: AbortSignal | undefined): Promise<string> {
    negotiated ??= ping(signal).then(
      ({ apiVersion }) => options.apiVersion ?? olderOf(apiVersion, options.newestApiVersion),
      (error: unknown) => {
        negotiated = undefined;
        throw error;
      },
    );
    return negotiated;
  }

  return {
    host: options.host,
    version: negotiate,
    ping,
    open,
    async call<T>(method: string, path: string, call: CallOptions = {}): Promise<T> {
      const body = await readAll(await open(method, path, call), maxJsonBytes);
      if (body.length === 0) return undefined as T;
      try {
        return JSON.parse(body.toString('utf8')) as T;
      } catch (error) {
        throw new EngineError('internal', `The daemon's answer to ${method} ${path} is no JSON`, {
          cause: error,
        });
      }
    },
    async hijack(method, path, call = {}) {
      const version = await negotiate(call.signal);
      const { response, socket, head } = await send(method, `/v${version}${path}`, call, true);
      if (socket === undefined || response.statusCode !== 101) {
        throw await failureOf(response, path);
      }
      if (head !== undefined && head.length > 0) socket.unshift(head);
      call.signal?.addEventListener('abort', () => socket.destroy(), { once: true });
      return { duplex: socket, contentType: response.headers['content-type'] ?? '' };
    },
    [Symbol.dispose]() {
      agent.destroy();
    },
  };
}

interface Answer {
  readonly response: IncomingMessage;
  readonly socket?: Duplex;
  readonly head?: Buffer;
}

function answerOf(outgoing: ClientRequest, host: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', (response) => {
      resolve({ response });
    });
    outgoing.once('upgrade', (response, socket, head) => {
      resolve({ response, socket, head });
    });
    outgoing.on('error', (error) => {
      reject(connectionError(error, host));
    });
  });
}

/** The daemon may refuse before it has read the whole body; then its answer counts, not the broken pipe. */
async function upload(body: Readable, outgoing: ClientRequest, answered: Promise<Answer>): Promise<Answer> {
  const sent = pipeline(body, outgoing);
  // A daemon that refuses may read on all the same: whoever has its whole answer sends no more.
  answered.then(
    ({ response }) => response.once('end', () => body.destroy()),
    () => undefined,
  );
  const failed = sent.then(
    () => answered,
    (error: unknown) =>
      hasErrno(error, 'EPIPE') || hasErrno(error, 'ECONNRESET') ? answered : Promise.reject(error as Error),
  );
  try {
    return await Promise.race([answered, failed]);
  } catch (error) {
    body.destroy();
    outgoing.destroy();
    throw error;
  }
}

async function secureOptions(tls: TlsFiles): Promise<{ request: typeof request; options: object }> {
  const https = await import('node:https');
  const { verify, ...files } = tls;
  return { request: https.request, options: { ...files, rejectUnauthorized: verify } };
}

function connectionError(error: Error, host: string): Error {
  if (isAbortError(error)) return error;
  if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ECONNREFUSED')) {
    const text = `Cannot connect to the Gantry daemon at ${host}. Is the gantry daemon running?`;
    return new EngineError('unavailable', text, { cause: error });
  }
  if (hasErrno(error, 'EACCES')) {
    const text = `permission denied while trying to connect to the Gantry daemon socket at ${host}: run as root or as a member of the socket's group`;
    return new EngineError('forbidden', text, { cause: error });
  }
  const text = `error during connect to ${host}: ${error.message}`;
  return new EngineError('unavailable', text, { cause: error });
}

async function failureOf(response: IncomingMessage, path: string): Promise<EngineError> {
  const status = response.statusCode ?? 500;
  const body = (await readAll(response, 1 << 20)).toString('utf8').trim();
  const code = codeOfStatus[status] ?? 'internal';
  const cause: ResponseCause = { status, path };
  return new EngineError(code, messageIn(body) ?? (body || `request returned status ${status}`), { cause });
}

function messageIn(body: string): string | undefined {
  if (!body.startsWith('{')) return undefined;
  try {
    const parsed = JSON.parse(body) as { message?: unknown };
    return typeof parsed.message === 'string' ? parsed.message : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function readAll(source: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += (chunk as Buffer).length;
    if (size > limit) throw new EngineError('internal', `The daemon's answer is larger than ${limit} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function queryText(query: CallOptions['query']): string {
  if (query === undefined) return '';
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (typeof value === 'object') for (const one of value) search.append(name, one);
    else search.append(name, typeof value === 'boolean' ? (value ? '1' : '0') : String(value));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

function olderOf(a: string, b: string): string {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA < majorB || (majorA === majorB && minorA < minorB) ? a : b;
}
