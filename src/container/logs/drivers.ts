import { parseBytes } from '../../lib/bytes.ts';
import { parseBoolean, parseInteger } from '../../lib/go-values.ts';
import type { LogLimits } from '../../runtime/index.ts';
import type { ContainerRecord } from '../record.ts';
import { logAttributes, logTag } from './attributes.ts';
import { parseFluentdOptions } from './forward/fluentd-options.ts';
import type { LogSink } from './forward/sink.ts';
import { assertSyslogStart, parseSyslogOptions } from './forward/syslog-options.ts';

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
  /** For a driver that sends the log elsewhere. */
  readonly remote?: RemoteLog;
}

/** Where a log goes beside its files. */
export interface RemoteLog {
  /** Throws an Error with Docker's words for wrong values of options. */
  assertOptions(options: LogOptions): void;
  /** The same at a start, for what options name: files, for one. */
  assertStart?(options: LogOptions): void;
  connect(record: ContainerRecord): Promise<LogSink>;
}

const defaultTag = '{{.ID}}';
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

const cachePrefix = 'cache-';

const syslog: LogDriver = {
  options: [
    ...attributeOptions,
    ...['syslog-address', 'syslog-facility', 'syslog-format'],
    ...['syslog-tls-ca-cert', 'syslog-tls-cert', 'syslog-tls-key', 'syslog-tls-skip-verify'],
  ],
  unknown: (option) => `unknown log opt '${option}' for syslog log driver`,
  limits: cacheLimits,
  showsPath: false,
  remote: {
    assertOptions: parseSyslogOptions,
    assertStart: assertSyslogStart,
    async connect(record) {
      const { createSyslogSink } = await import('./forward/syslog.ts');
      return createSyslogSink(logTag(record, defaultTag), record.hostConfig.LogConfig.Config);
    },
  },
};

const fluentd: LogDriver = {
  options: [
    ...attributeOptions,
    ...['fluentd-address', 'fluentd-async', 'fluentd-async-reconnect-interval', 'fluentd-buffer-limit'],
    ...['fluentd-max-retries', 'fluentd-request-ack', 'fluentd-retry-wait', 'fluentd-sub-second-precision'],
    'fluentd-write-timeout',
  ],
  unknown: (option) => `unknown log opt '${option}' for fluentd log driver`,
  limits: cacheLimits,
  showsPath: false,
  remote: {
    assertOptions: parseFluentdOptions,
    async connect(record) {
      const { createFluentdSink } = await import('./forward/fluentd.ts');
      const source = {
        tag: logTag(record, defaultTag),
        containerId: record.id,
        containerName: record.name,
        attributes: logAttributes(record),
      };
      return createFluentdSink(source, record.hostConfig.LogConfig.Config);
    },
  },
};

const drivers: ReadonlyMap<string, LogDriver> = new Map([
  ['fluentd', fluentd],
  ['json-file', jsonFile],
  ['local', local],
  ['syslog', syslog],
]);

/** Names of the drivers that keep a log, as `docker info` lists them. */
export const logDriverNames: readonly string[] = [...drivers.keys()].sort();

export function logDriver(name: string): LogDriver | undefined {
  return drivers.get(name);
}

/** A size is 100 MB in 5 files unless one of them is given: then it is Docker's, without end and one file. */
function jsonFileLimits(options: LogOptions): LogLimits | undefined {
  const { 'max-size': size, 'max-file': files, compress } = options;
  const maxBytes = size === undefined || size === '-1' ? undefined : parseBytes(size, 1000);
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

/**
 * Of a log that goes elsewhere, files hold what is not sent yet and what clients read: as `local` keeps them, told by
 * options of their own, and at least two, so that parts keep their numbers.
 */
function cacheLimits(options: LogOptions): LogLimits {
  const own = Object.entries(options).flatMap(([name, value]) =>
    name.startsWith(cachePrefix) ? [[name.slice(cachePrefix.length), value] as const] : [],
  );
  const limits = localFileLimits(Object.fromEntries(own));
  return { ...limits, maxFiles: Math.max(2, limits.maxFiles) };
}

function localFileLimits(options: LogOptions): LogLimits {
  const { 'max-size': size, 'max-file': files, compress } = options;
  const maxBytes = named('invalid value for max-size', size, (text) => parseBytes(text, 1000));
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
