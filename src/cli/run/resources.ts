import { isIP } from 'node:net';
import type { DeviceMapping, RestartPolicy, ThrottleDevice, Ulimit } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { type Flag, parsed } from '../flags.ts';
import { parseSize } from '../sizes.ts';

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

const ulimitNames = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
    ' ',
  ),
);

/** `nofile=1024:2048`, `core=0`; -1 is unlimited. */
export function parseUlimit(text: string): Ulimit {
  const match = /^([^=]*)=(.*)$/.exec(text);
  if (match === null) throw invalid(`invalid ulimit argument: ${text}`);
  const [, name = '', limits = ''] = match;
  if (!ulimitNames.has(name)) throw invalid(`invalid ulimit type: ${name}`);
  const parts = limits.split(':');
  if (parts.length > 2)
    throw invalid(`too many limit value arguments - ${limits}, can only have up to two, \`soft[:hard]\``);
  const [soft = 0, hard = soft] = parts.map((part) => {
    if (!/^-?\d+$/.test(part))
      throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(part)}: invalid syntax`);
    return Number(part);
  });
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  }
  return { Name: name, Soft: soft, Hard: hard };
}

export function ulimits(): Flag<readonly Ulimit[]> {
  return parsed('ulimit', 'Ulimit options', {
    initial: [],
    shownDefault: '[]',
    read: (text: string, previous: readonly Ulimit[]) => {
      const read = parseUlimit(text);
      return [...previous.filter(({ Name }) => Name !== read.Name), read];
    },
  });
}

/** `/dev/x[:/dev/y][:rwm]`. */
export function parseDevice(text: string): DeviceMapping {
  const parts = text.split(':');
  const isMode = (one: string) => /^[rwm]+$/.test(one) && new Set(one).size === one.length;
  const [source = '', second, third] = parts;
  if (parts.length > 3 || source === '') throw invalid(`invalid device specification: ${text}`);
  if (parts.length === 3 && !isMode(third ?? '')) throw invalid(`bad mode specified: ${third ?? ''}`);
  if (parts.length === 2 && isMode(second ?? '')) {
    return { PathOnHost: source, PathInContainer: source, CgroupPermissions: second ?? '' };
  }
  const target = second ?? source;
  if (!target.startsWith('/')) {
    throw invalid(
      second === undefined ? `${target} is not an absolute path` : `bad mode specified: ${target}`,
    );
  }
  return { PathOnHost: source, PathInContainer: target, CgroupPermissions: third ?? 'rwm' };
}

export function parseRestartPolicy(text: string): RestartPolicy {
  const [name = '', count, ...rest] = text.split(':');
  if (name === '' && count !== undefined) {
    throw invalid(`invalid restart policy format: no policy provided before colon`);
  }
  if (rest.length > 0 || (count !== undefined && !/^([+-]?\d+)?$/.test(count))) {
    throw invalid('invalid restart policy format: maximum retry count must be an integer');
  }
  return {
    Name: (name === '' ? 'no' : name) as RestartPolicy['Name'],
    MaximumRetryCount: Number(count || 0),
  };
}

/** `host:ip` or `host=ip`; the address may be `host-gateway`. The engine wants a colon. */
export function parseExtraHost(text: string): string {
  const match = /^([^:=]+)[:=](.+)$/.exec(text);
  const address = match?.[2]?.replace(/^\[(.*)\]$/, '$1') ?? '';
  if (match === null) throw invalid(`bad format for add-host: ${JSON.stringify(text)}`);
  if (address !== 'host-gateway' && isIP(address) === 0) {
    throw invalid(`invalid IP address in add-host: ${JSON.stringify(address)}`);
  }
  return `${match[1] ?? ''}:${address}`;
}

export function parseAddress(text: string): string {
  if (isIP(text) === 0) throw invalid(`IP address is not correctly formatted: ${text}`);
  return text;
}

/** `path:rate`; with `bytes` the rate may have a unit. */
export function parseThrottle(text: string, options: { readonly bytes: boolean }): ThrottleDevice {
  const [path = '', rate = '', ...rest] = text.split(':');
  if (rate === '' || rest.length > 0) throw invalid(`bad format: ${text}`);
  if (!path.startsWith('/dev/')) throw invalid(`bad format for device path: ${text}`);
  const unit = options.bytes
    ? '<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb'
    : '<number>. Number must be a positive integer';
  try {
    if (!options.bytes && !/^\d+$/.test(rate)) throw invalid(rate);
    return { Path: path, Rate: options.bytes ? parseSize(rate) : Number(rate) };
  } catch (error) {
    const text2 = `invalid rate for device: ${text}. The correct format is <device-path>:${unit}`;
    throw new EngineError('invalidArgument', text2, { cause: error });
  }
}

export function parseWeightDevice(text: string): { readonly Path: string; readonly Weight: number } {
  const [path = '', weight = ''] = text.split(':');
  if (weight === '') throw invalid(`bad format: ${text}`);
  if (!path.startsWith('/dev/')) throw invalid(`bad format for device path: ${text}`);
  if (!/^\d+$/.test(weight) || (Number(weight) > 0 && (Number(weight) < 10 || Number(weight) > 1000))) {
    throw invalid(`invalid weight for device: ${text}`);
  }
  return { Path: path, Weight: Number(weight) };
}

/** `key=value` pairs; a key alone has an empty value. */
export function parsePairs(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      return equals === -1 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

/** Log and storage options must have a value. */
export function parseOptions(pairs: readonly string[], flag: string): Record<string, string> {
  for (const pair of pairs) {
    if (!pair.includes('='))
      throw invalid(flag === 'storage' ? 'invalid storage option' : `invalid ${flag} option: ${pair}`);
  }
  return parsePairs(pairs);
}
