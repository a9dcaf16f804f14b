import { parseBytes } from '../../../lib/bytes.ts';
import { parseDuration } from '../../../lib/duration.ts';
import { hostAndPort, parseGoUrl } from '../../../lib/go-url.ts';
import { parseBoolean } from '../../../lib/go-values.ts';
import type { LogOptions } from '../drivers.ts';

export type FluentdAddress =
  | { readonly kind: 'tcp' | 'tls'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface FluentdOptions {
  readonly address: FluentdAddress;
  /** The server confirms what it took. */
  readonly requestAck: boolean;
  readonly subSecondPrecision: boolean;
}

const defaultHost = '127.0.0.1';
const defaultPort = 24224;

/** Throws an Error with Docker's words. */
export function parseFluentdOptions(options: LogOptions): FluentdOptions {
  const address = options['fluentd-address'] ?? '';
  const found = worded(() => parseAddress(address), `invalid fluentd-address (${address})`);
  const given = (name: string) => options[`fluentd-${name}`] || undefined;
  const flag = (name: string) => parseBoolean(given(name) ?? 'false');
  parseBytes(given('buffer-limit') ?? '0', 1024);
  parseDuration(given('retry-wait') ?? '0');
  const retries = given('max-retries') ?? '0';
  if (!/^\d+$/.test(retries)) {
    throw new Error(`strconv.ParseUint: parsing ${JSON.stringify(retries)}: invalid syntax`);
  }
  flag('async');
  assertReconnectInterval(given('async-reconnect-interval'));
  assertWriteTimeout(given('write-timeout'));
  return {
    address: found,
    requestAck: flag('request-ack'),
    subSecondPrecision: flag('sub-second-precision'),
  };
}

function assertReconnectInterval(text: string | undefined): void {
  if (text === undefined) return;
  const words = 'invalid value for fluentd-async-reconnect-interval';
  const nanos = worded(() => parseDuration(text), words);
  if (nanos !== 0 && (nanos < 100e6 || nanos > 10e9)) {
    throw new Error(`${words}: value (${JSON.stringify(text)}) must be between 100ms and 10s`);
  }
}

function assertWriteTimeout(text: string | undefined): void {
  if (text === undefined) return;
  const words = 'invalid value for fluentd-write-timeout: value must be a duration';
  if (worded(() => parseDuration(text), words) < 0) throw new Error(`${words} that is non-negative`);
}

function parseAddress(address: string): FluentdAddress {
  if (address === '') return { kind: 'tcp', host: defaultHost, port: defaultPort };
  const url = parseGoUrl(address.includes('://') ? address : `tcp://${address}`);
  const { scheme, path } = url;
  if (scheme === 'unix') {
    if (path.replaceAll('/', '') === '') throw new Error('path is empty');
    return { kind: 'unix', path };
  }
  if (scheme !== 'tcp' && scheme !== 'tls') throw new Error(`unsupported scheme: '${scheme}'`);
  if (path !== '') throw new Error('should not contain a path element');
  const { host, port } = hostAndPort(url);
  if (Number(port) > 65_535) {
    throw new Error(`invalid port: strconv.ParseUint: parsing ${JSON.stringify(port)}: value out of range`);
  }
  return { kind: scheme, host: host || defaultHost, port: port === '' ? defaultPort : Number(port) };
}

function worded<T>(parse: () => T, words: string): T {
  try {
    return parse();
  } catch (error) {
    throw new Error(`${words}: ${(error as Error).message}`, { cause: error });
  }
}
