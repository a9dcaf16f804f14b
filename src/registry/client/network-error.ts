import { EngineError, isAbortError, messageOf } from '../../errors/index.ts';

// As an ES import it would load far more (test/architecture.test.ts).
const { STATUS_CODES } = process.getBuiltinModule('node:http');

interface SystemError extends Error {
  readonly code?: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
  readonly cert?: { readonly subjectaltname?: string };
}

/**
 * A failed request in the words people know from Docker: `Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect:
 * connection refused`. An abort passes as it is. `url` must carry no credentials.
 */
export function networkError(error: unknown, request: { readonly method: string; readonly url: URL }): Error {
  const refusal = proxyRefusal(error);
  if (refusal === undefined && (error instanceof EngineError || isAbortError(error))) return error as Error;
  const reason = refusal ?? reasonOf(firstCause(error), request.url);
  const method = request.method.charAt(0) + request.method.slice(1).toLowerCase();
  // Signed storage URLs carry their secret in the query.
  const { origin, pathname } = request.url;
  const code =
    error instanceof Error && /^(?:CERT_|SELF_SIGNED|UNABLE_TO|DEPTH_ZERO|ERR_TLS)/.test(codeOf(error))
      ? 'forbidden'
      : 'unavailable';
  return new EngineError(code, `${method} ${JSON.stringify(origin + pathname)}: ${reason}`, { cause: error });
}

/** Why a proxy opened no tunnel, as the words of its status: the library tells it by an abort. */
function proxyRefusal(error: unknown): string | undefined {
  const [, status] = /^Proxy response \((\d+)\)/.exec(messageOf(error)) ?? [];
  return status === undefined ? undefined : (STATUS_CODES[status] ?? `status ${status}`);
}

/** Several addresses of one host are told as one error of several. */
function firstCause(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors[0] as unknown;
  return error;
}

function codeOf(error: Error): string {
  return String((error as SystemError).code ?? '');
}

function reasonOf(error: unknown, url: URL): string {
  if (!(error instanceof Error)) return messageOf(error);
  const { address, port, hostname } = error as SystemError;
  const peer =
    address === undefined
      ? url.host
      : `${address.includes(':') ? `[${address}]` : address}:${port ?? url.port}`;
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return `dial tcp ${peer}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${peer}: connect: no route to host`;
    case 'ENETUNREACH':
      return `dial tcp ${peer}: connect: network is unreachable`;
    case 'ENOTFOUND':
      return `dial tcp: lookup ${hostname ?? url.hostname}: no such host`;
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${hostname ?? url.hostname}: Temporary failure in name resolution`;
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return `dial tcp ${peer}: i/o timeout`;
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return 'timeout awaiting the response';
    case 'ECONNRESET':
      return `read tcp ${peer}: connection reset by peer`;
    case 'UND_ERR_SOCKET':
      return error.message === 'other side closed' ? 'EOF' : error.message;
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return 'http: server gave HTTP response to HTTPS client';
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_GET_ISSUER_CERT':
      return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
    case 'ERR_TLS_CERT_ALTNAME_INVALID': {
      const names = ((error as SystemError).cert?.subjectaltname ?? '').replace(/\b(?:DNS|IP Address):/g, '');
      return names === ''
        ? `tls: failed to verify certificate: x509: certificate is not valid for any names, but wanted to match ${url.hostname}`
        : `tls: failed to verify certificate: x509: certificate is valid for ${names}, not ${url.hostname}`;
    }
    case 'CERT_HAS_EXPIRED':
      return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
    default:
      return error.message;
  }
}
