import { EngineError, type ErrorCode } from '../../errors/index.ts';
import { parseChallenges } from './challenge.ts';
import type { HttpResponse } from './http.ts';

/** Why a registry refused a request. It is the `cause` of the error. */
export interface RegistryFailure {
  readonly status: number;
  /** The registry's code, `MANIFEST_UNKNOWN`; '' when it told none. */
  readonly code: string;
  /** What the registry asked to wait before the next try. */
  readonly retryAfterMs?: number;
}

const longestBody = 64 << 10;

const codes: Readonly<Record<string, ErrorCode>> = {
  DENIED: 'forbidden',
  UNAUTHORIZED: 'unauthorized',
  TOOMANYREQUESTS: 'unavailable',
  UNAVAILABLE: 'unavailable',
  UNSUPPORTED: 'notImplemented',
};

const standardMessages: Readonly<Record<string, string>> = {
  DENIED: 'requested access to the resource is denied',
  UNAUTHORIZED: 'authentication required',
  TOOMANYREQUESTS: 'too many requests',
  MANIFEST_UNKNOWN: 'manifest unknown',
  NAME_UNKNOWN: 'repository name not known to registry',
  BLOB_UNKNOWN: 'blob unknown to registry',
};

/** What a registry said, if the error came from one. */
export function failureOf(error: unknown): RegistryFailure | undefined {
  if (!(error instanceof EngineError)) return undefined;
  const { cause } = error;
  if (typeof cause !== 'object' || cause === null || cause instanceof Error) return undefined;
  return 'status' in cause && 'code' in cause ? (cause as RegistryFailure) : undefined;
}

/** Whether the same request may succeed a little later: a broken connection, a server in trouble or too busy. */
export function isTransient(error: unknown): boolean {
  const failure = failureOf(error);
  if (failure !== undefined) {
    return failure.status >= 500 ? failure.status !== 501 : failure.status === 429 || failure.status === 408;
  }
  return error instanceof EngineError && error.code === 'unavailable';
}

/** The error for an answer that is not the one wanted; reads its body. The words are Docker's. */
export async function refusalOf(response: HttpResponse): Promise<EngineError> {
  const { status, statusText } = response;
  const retryAfterMs = retryAfterOf(response.headers['retry-after']);
  const body = await bodyOf(response);
  const [first] = challengeErrors(response);
  const [code, message] = first ?? errorIn(body) ?? fallback(status);
  const cause: RegistryFailure = {
    status,
    code,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  if (code === '') {
    const text =
      status >= 500 || status < 400
        ? `received unexpected HTTP status: ${status} ${statusText}`.trimEnd()
        : `error parsing HTTP ${status} response body: unexpected end of JSON input: ${JSON.stringify(body.slice(0, 200))}`;
    return new EngineError(engineCode(status, code), text, { cause });
  }
  const words = code.toLowerCase().replaceAll('_', ' ');
  return new EngineError(engineCode(status, code), `${words}: ${message}`, { cause });
}

function engineCode(status: number, code: string): ErrorCode {
  const known = codes[code];
  if (known !== undefined) return known;
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404 || code.endsWith('_UNKNOWN')) return 'notFound';
  if (status >= 500 || status === 429 || status === 408) return 'unavailable';
  return 'invalidArgument';
}

/** A bearer challenge may say why the token was not enough. [RFC 6750, 3.1] */
function challengeErrors({ headers }: HttpResponse): (readonly [string, string])[] {
  return parseChallenges(headers['www-authenticate'] ?? '').flatMap(({ scheme, parameters }) => {
    const error = scheme === 'bearer' ? parameters['error'] : undefined;
    const code =
      error === 'invalid_token' ? 'UNAUTHORIZED' : error === 'insufficient_scope' ? 'DENIED' : undefined;
    if (code === undefined) return [];
    return [[code, parameters['error_description'] || (standardMessages[code] ?? '')] as const];
  });
}

function errorIn(body: string): readonly [string, string] | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const { errors, details, message } = (parsed ?? {}) as Readonly<Record<string, unknown>>;
  if (Array.isArray(errors) && typeof errors[0] === 'object' && errors[0] !== null) {
    const { code, message: text } = errors[0] as Readonly<Record<string, unknown>>;
    if (typeof code === 'string' && code !== '') {
      return [
        code,
        typeof text === 'string' && text !== '' ? text : (standardMessages[code] ?? 'unknown error'),
      ];
    }
  }
  // Token servers and rate limiters answer with one text.
  const text = [details, message].find((one) => typeof one === 'string' && one !== '');
  return typeof text === 'string' ? ['UNKNOWN', text] : undefined;
}

function fallback(status: number): readonly [string, string] {
  if (status === 401) return ['UNAUTHORIZED', standardMessages['UNAUTHORIZED'] ?? ''];
  if (status === 403) return ['DENIED', standardMessages['DENIED'] ?? ''];
  if (status === 429) return ['TOOMANYREQUESTS', standardMessages['TOOMANYREQUESTS'] ?? ''];
  return ['', ''];
}

async function bodyOf({ body }: HttpResponse): Promise<string> {
  let text = '';
  try {
    for await (const chunk of body) {
      text += String(chunk);
      if (text.length > longestBody) break;
    }
  } catch (error) {
    // The status alone says enough.
    if (!(error instanceof Error)) throw error;
  }
  return text;
}

/** Seconds, or a date. */
function retryAfterOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,6}$/.test(header)) return Number(header) * 1000;
  const time = Date.parse(header);
  return Number.isNaN(time) ? undefined : Math.max(0, time - Date.now());
}
