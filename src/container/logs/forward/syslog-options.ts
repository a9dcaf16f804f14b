import { existsSync } from 'node:fs';
import { hostAndPort, parseGoUrl } from '../../../lib/go-url.ts';
import type { LogOptions } from '../drivers.ts';
import type { SyslogFormat } from './syslog-format.ts';
import { readTlsFiles } from './syslog-tls.ts';

/** Where messages go; `unix` is a stream, `unixgram` takes datagrams. */
export type SyslogAddress =
  | { readonly kind: 'udp' | 'tcp' | 'tcp+tls'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix' | 'unixgram'; readonly path: string }
  /** The machine's own syslog, at one of the usual places. */
  | { readonly kind: 'local' };

export interface SyslogOptions {
  readonly address: SyslogAddress;
  readonly facility: number;
  readonly format: SyslogFormat;
}

const defaultPort = 514;
const highestPort = 65_535;
const formats = ['', 'rfc3164', 'rfc5424', 'rfc5424micro'] as const;
const daemonFacility = 3;
const facilities = [
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  ...['', '', '', '', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
];

/** Throws an Error with Docker's words. */
export function parseSyslogOptions(options: LogOptions): SyslogOptions {
  return {
    address: parseAddress(options['syslog-address'] ?? ''),
    facility: parseFacility(options['syslog-facility'] ?? ''),
    format: parseFormat(options['syslog-format'] ?? ''),
  };
}

/** What a connection would fail for, whatever the server. Throws an Error with Docker's words. */
export function assertSyslogStart(options: LogOptions): void {
  const { address } = parseSyslogOptions(options);
  if ('port' in address && address.port > highestPort) {
    throw new Error(`dial ${address.kind === 'udp' ? 'udp' : 'tcp'}: address ${address.port}: invalid port`);
  }
  if (address.kind === 'tcp+tls') readTlsFiles(options);
}

function parseAddress(address: string): SyslogAddress {
  if (address === '') return { kind: 'local' };
  const url = parseGoUrl(address);
  const { scheme, path } = url;
  if (scheme === 'unix' || scheme === 'unixgram') {
    if (!existsSync(path)) throw new Error(`stat ${path}: no such file or directory`);
    return { kind: scheme, path };
  }
  if (scheme !== 'udp' && scheme !== 'tcp' && scheme !== 'tcp+tls') {
    throw new Error(`unsupported scheme: '${scheme}'`);
  }
  const { host, port } = hostAndPort(url);
  if (host.includes(':') && !url.host.startsWith('[')) {
    throw new Error(`address ${url.host}: too many colons in address`);
  }
  return { kind: scheme, host: host || 'localhost', port: Number(port || defaultPort) };
}

function parseFacility(text: string): number {
  if (text === '') return daemonFacility;
  const named = facilities.indexOf(text);
  if (named !== -1) return named;
  if (/^\+?\d+$/.test(text) && Number(text) <= 23) return Number(text);
  throw new Error('invalid syslog facility');
}

function parseFormat(text: string): SyslogFormat {
  const format = formats.find((one) => one === text);
  if (format === undefined) throw new Error('Invalid syslog format');
  return format;
}
