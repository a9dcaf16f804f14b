import { isIP } from 'node:net';
import type { PortBinding } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';

export interface Ports {
  /** `80/tcp` to {}. */
  readonly exposed: Readonly<Record<string, object>>;
  readonly bindings: Readonly<Record<string, readonly PortBinding[]>>;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

/** `80`, `8000-8010`. */
function parseRange(text: string): Range | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first > 65535 || last > 65535 || last < first ? undefined : { first, last };
}

const sizeOf = ({ first, last }: Range) => last - first + 1;

/**
 * Reads `--publish` (`[[ip:][hostPort]:]containerPort[/proto]`, with ranges, or the long form
 * `target=80,published=8080,protocol=tcp,host_ip=…`) and `--expose`. Throws Docker's texts: `invalid containerPort: x`,
 * `invalid hostPort: x`, `invalid IP address: x`, `invalid proto: x`.
 */
export function parsePorts(publish: readonly string[], expose: readonly string[] = []): Ports {
  const exposed: Record<string, object> = {};
  const bindings: Record<string, PortBinding[]> = {};
  for (const one of publish) {
    const text = one.includes('=') ? shortForm(one) : one;
    for (const { key, binding } of parsePublish(text)) {
      exposed[key] = {};
      (bindings[key] ??= []).push(binding);
    }
  }
  for (const one of expose) {
    for (const key of parseExpose(one)) exposed[key] = {};
  }
  return { exposed, bindings };
}

function parsePublish(spec: string): { key: string; binding: PortBinding }[] {
  const { address, hostPort, containerPort: withProto } = splitSpec(spec);
  const [containerPort = '', proto = 'tcp'] = withProto.split('/');
  if (address !== '' && isIP(address) === 0) throw invalid(`invalid IP address: ${address}`);
  if (containerPort === '') throw invalid(`no port specified: ${spec}<empty>`);
  const inside = parseRange(containerPort);
  if (inside === undefined) throw invalid(`invalid containerPort: ${containerPort}`);
  const outside = hostPort === '' ? undefined : parseRange(hostPort);
  if (hostPort !== '' && outside === undefined) throw invalid(`invalid hostPort: ${hostPort}`);
  if (outside !== undefined && sizeOf(inside) !== sizeOf(outside) && sizeOf(inside) !== 1) {
    throw invalid(`invalid ranges specified for container and host Ports: ${containerPort} and ${hostPort}`);
  }
  const protocol = proto.toLowerCase();
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) throw invalid(`invalid proto: ${proto}`);
  return Array.from({ length: sizeOf(inside) }, (_none, offset) => ({
    key: `${inside.first + offset}/${protocol}`,
    binding: { HostIp: address, HostPort: hostPortAt(inside, outside, offset) },
  }));
}

/** One container port published on a host range keeps the range: the engine picks a free one of it. */
function hostPortAt(inside: Range, outside: Range | undefined, offset: number): string {
  if (outside === undefined) return '';
  if (sizeOf(inside) === 1 && sizeOf(outside) > 1) return `${outside.first}-${outside.last}`;
  return String(outside.first + offset);
}

function splitSpec(spec: string): { address: string; hostPort: string; containerPort: string } {
  const bracketed = /^\[([^\]]*)\]:(?:([^:]*):)?([^:]*)$/.exec(spec);
  if (bracketed !== null) {
    return { address: bracketed[1] ?? '', hostPort: bracketed[2] ?? '', containerPort: bracketed[3] ?? '' };
  }
  const parts = spec.split(':');
  const containerPort = parts.pop() ?? '';
  const hostPort = parts.pop() ?? '';
  return { address: parts.join(':'), hostPort, containerPort };
}

function parseExpose(text: string): string[] {
  if (text.includes(':')) throw invalid(`invalid port format for --expose: ${text}`);
  const [port = '', proto = ''] = text.split('/');
  const range = parseRange(port);
  if (range === undefined)
    throw invalid(
      `invalid range format for --expose: ${text}, error: strconv.ParseUint: parsing ${JSON.stringify(port)}: invalid syntax`,
    );
  return Array.from(
    { length: sizeOf(range) },
    (_none, offset) => `${range.first + offset}/${proto.toLowerCase() || 'tcp'}`,
  );
}

function shortForm(text: string): string {
  const fields = new Map<string, string>();
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    if (equals === -1) throw invalid(`invalid field ${part}`);
    fields.set(part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim());
  }
  for (const key of fields.keys()) {
    if (!['target', 'published', 'protocol', 'mode', 'host_ip'].includes(key)) {
      throw invalid(`invalid field key ${key}`);
    }
  }
  const address = fields.get('host_ip') ?? '';
  const shownAddress = address.includes(':') ? `[${address}]:` : address === '' ? '' : `${address}:`;
  return `${shownAddress}${fields.get('published') ?? ''}:${fields.get('target') ?? ''}/${fields.get('protocol') ?? 'tcp'}`;
}
