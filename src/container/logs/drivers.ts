import type { LogLimits } from '../../runtime/index.ts';
import { parseBoolean, parseInteger, parseSize } from './values.ts';

export type LogOptions = Readonly<Record<string, string>>;

/**
 * A log driver. Whichever it is, the container's monitor writes the log's files, and clients read those; drivers differ
 * in how much of it is kept, and where else it goes.
 */
export interface LogDriver {
  /** Options it knows beside those of every driver. */
  readonly options: readonly string[];
  /** Docker's words about an option it does not know. */
  unknown(option: string): string;
  /** How much is kept; `undefined` keeps everything. Throws an Error with Docker's words. */
  limits(options: LogOptions): LogLimits | undefined;
  /** Whether its clients may know the path of the file. */
  readonly showsPath: boolean;
}

const attributeOptions = ['labels', 'labels-regex', 'env', 'env-regex', 'tag'];

/** What is kept of a log about whose size nothing was said. */
export const defaultLimits: LogLimits = { maxBytes: 100_000_000, maxFiles: 5, compress: false };

const localLimits: LogLimits = { maxBytes: 20 << 20, maxFiles: 5, compress: true };

const jsonFile: LogDriver = {
  options: ['max-file', 'max-size', 'compress', ...attributeOptions],
  unknown: (option) => `unknown log opt '${option}' for json-file log driver`,
  limits: jsonFileLimits,
  showsPath: true,
};

const local: LogDriver = {
  options: ['max-file', 'max-size', 'compress'],
  unknown: (option) => `unknown log opt '${option}' for log driver local`,
  limits: localFileLimits,
  showsPath: false,
};

const drivers: ReadonlyMap<string, LogDriver> = new Map([
  ['json-file', jsonFile],
  ['local', local],
]);

/** Names of the drivers that keep a log, as `docker info` lists them. */
export const logDriverNames: readonly string[] = [...drivers.keys()].sort();

export function logDriver(name: string): LogDriver | undefined {
  return drivers.get(name);
}

/** A size is 100 MB in 5 files unless one of them is given: then it is Docker's, without end and one file. */
function jsonFileLimits(options: LogOptions): LogLimits | undefined {
  const { 'max-size': size, 'max-file': files, compress } = options;
  const maxBytes = size === undefined || size === '-1' ? undefined : parseSize(size, 1000);
  if (maxBytes !== undefined && maxBytes <= 0) throw new Error('max-size must be a positive number');
  const maxFiles = files === undefined ? undefined : parseInteger(files);
  if (maxFiles !== undefined && maxFiles < 1) throw new Error('max-file cannot be less than 1');
  const compresses = compress !== undefined && parseBoolean(compress);
  if (compresses && ((maxFiles ?? 1) < 2 || maxBytes === undefined)) {
    throw new Error('compress cannot be true when max-file is less than 2 or max-size is not set');
  }
  if (size === '-1') return undefined;
  if (maxBytes === undefined) return { ...defaultLimits, ...(maxFiles === undefined ? {} : { maxFiles }) };
  return { maxBytes, maxFiles: maxFiles ?? 1, compress: compresses };
}

function localFileLimits(options: LogOptions): LogLimits {
  const { 'max-size': size, 'max-file': files, compress } = options;
  const maxBytes = named('invalid value for max-size', size, (text) => parseSize(text, 1000));
  const maxFiles = named('invalid value for max-file', files, parseInteger);
  const compresses =
    compress === undefined
      ? localLimits.compress
      : worded(() => parseBoolean(compress), 'invalid boolean value for compress');
  const limits = {
    maxBytes: maxBytes ?? localLimits.maxBytes,
    maxFiles: maxFiles ?? localLimits.maxFiles,
    compress: compresses,
  };
  if (limits.maxFiles < 0) throw new Error('max-file must not be negative');
  if (compresses && limits.maxFiles <= 1) {
    throw new Error('compression cannot be enabled when max file count is 1');
  }
  return limits;
}

function named<T>(words: string, text: string | undefined, parse: (text: string) => T): T | undefined {
  return text === undefined ? undefined : worded(() => parse(text), `${words}: ${text}`);
}

function worded<T>(parse: () => T, words: string): T {
  try {
    return parse();
  } catch (error) {
    throw new Error(`${words}: ${(error as Error).message}`, { cause: error });
  }
}
