import { codeOf, EngineError, type ErrorCode, messageOf } from '../../../errors/index.ts';

/** The codes of the distribution API, with the status each usually goes with. */
const statuses = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DENIED: 403,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  PAGINATION_NUMBER_INVALID: 400,
  SIZE_INVALID: 400,
  TAG_INVALID: 400,
  TOOMANYREQUESTS: 429,
  UNAUTHORIZED: 401,
  UNKNOWN: 500,
  UNSUPPORTED: 405,
} as const;

export type RegistryCode = keyof typeof statuses;

const engineCodes: Readonly<Partial<Record<RegistryCode, ErrorCode>>> = {
  BLOB_UNKNOWN: 'notFound',
  BLOB_UPLOAD_UNKNOWN: 'notFound',
  DENIED: 'forbidden',
  MANIFEST_UNKNOWN: 'notFound',
  NAME_UNKNOWN: 'notFound',
  TOOMANYREQUESTS: 'unavailable',
  UNAUTHORIZED: 'unauthorized',
  UNKNOWN: 'internal',
};

export interface RegistryErrorOptions {
  /** When it is not the usual one of the code. */
  readonly status?: number;
  readonly detail?: unknown;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly cause?: unknown;
}

/** A failure with its code in the distribution API. */
export class RegistryError extends EngineError {
  readonly registryCode: RegistryCode;
  readonly status: number;
  readonly detail: unknown;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;

  constructor(code: RegistryCode, message: string, options: RegistryErrorOptions = {}) {
    super(
      engineCodes[code] ?? 'invalidArgument',
      message,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.name = 'RegistryError';
    this.registryCode = code;
    this.status = options.status ?? statuses[code];
    this.detail = options.detail;
    this.headers = options.headers ?? {};
  }
}

/** What the storage and other parts throw, as the distribution API says it. */
const ofEngine = {
  invalidArgument: ['DIGEST_INVALID', 400],
  notFound: ['BLOB_UNKNOWN', 404],
  conflict: ['BLOB_UPLOAD_INVALID', 409],
  notModified: ['UNKNOWN', 304],
  unauthorized: ['UNAUTHORIZED', 401],
  forbidden: ['DENIED', 403],
  unavailable: ['UNKNOWN', 503],
  notImplemented: ['UNSUPPORTED', 405],
  cancelled: ['UNKNOWN', 499],
  outOfSpace: ['UNKNOWN', 507],
  internal: ['UNKNOWN', 500],
} as const satisfies Record<ErrorCode, readonly [RegistryCode, number]>;

/** Any thrown value as a failure of the API. What the registry itself did wrong is not told to clients. */
export function registryErrorOf(error: unknown): RegistryError {
  if (error instanceof SuppressedError) return registryErrorOf(error.suppressed);
  if (error instanceof RegistryError) return error;
  const code = codeOf(error);
  const [registryCode, status] = ofEngine[code];
  const texts: Readonly<Partial<Record<ErrorCode, string>>> = {
    internal: 'internal error of the registry',
    outOfSpace: 'no space left in the storage of the registry',
  };
  return new RegistryError(registryCode, texts[code] ?? messageOf(error), { status, cause: error });
}

/** The body of an error's answer. */
export function errorBody(error: RegistryError): string {
  const { registryCode: code, message, detail } = error;
  return JSON.stringify({ errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] });
}
