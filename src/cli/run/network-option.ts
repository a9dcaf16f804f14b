import type { EndpointSettings } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { parseCsvLine } from './csv.ts';

/** One `--network`: a name, or `name=NET,alias=A,ip=…,ip6=…,mac-address=…,link-local-ip=…,driver-opt=K=V,gw-priority=N`. */
export interface NetworkAttachment {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly ip?: string;
  readonly ip6?: string;
  readonly macAddress?: string;
  readonly linkLocalIps: readonly string[];
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly gatewayPriority: number;
}

const emptyAttachment = { aliases: [], linkLocalIps: [], driverOptions: {}, gatewayPriority: 0 } as const;

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

/** Throws Docker's texts: `invalid field x`, `invalid field key x`, `network name is missing`. */
export function parseNetwork(text: string): NetworkAttachment {
  if (!text.includes('=')) return { name: text, ...emptyAttachment };
  let attachment: NetworkAttachment = { name: '', ...emptyAttachment };
  for (const field of parseCsvLine(text)) {
    const equals = field.indexOf('=');
    const key = (equals === -1 ? field : field.slice(0, equals)).trim().toLowerCase();
    if (equals === -1) throw invalid(`invalid field ${field}`);
    attachment = withField(attachment, key, field.slice(equals + 1).trim());
  }
  if (attachment.name === '') throw invalid('network name is missing');
  return attachment;
}

function withField(attachment: NetworkAttachment, key: string, value: string): NetworkAttachment {
  switch (key) {
    case 'name':
      return { ...attachment, name: value };
    case 'alias':
      return { ...attachment, aliases: [...attachment.aliases, value] };
    case 'ip':
      return { ...attachment, ip: value };
    case 'ip6':
      return { ...attachment, ip6: value };
    case 'mac-address':
      return { ...attachment, macAddress: value };
    case 'link-local-ip':
      return { ...attachment, linkLocalIps: [...attachment.linkLocalIps, value] };
    case 'driver-opt': {
      const [name = '', ...rest] = value.split('=');
      if (rest.length === 0) throw invalid(`invalid key value pair format in driver options`);
      return { ...attachment, driverOptions: { ...attachment.driverOptions, [name]: rest.join('=') } };
    }
    case 'gw-priority':
      if (!/^-?\d+$/.test(value)) throw invalid(`invalid gw-priority: ${value}`);
      return { ...attachment, gatewayPriority: Number(value) };
    default:
      throw invalid(`invalid field key ${key}`);
  }
}

/** The endpoint settings of an attachment; only what was said. */
export function endpointOf(
  attachment: NetworkAttachment,
  links: readonly string[] = [],
): Partial<EndpointSettings> {
  const { ip, ip6, linkLocalIps } = attachment;
  const hasIpam = ip !== undefined || ip6 !== undefined || linkLocalIps.length > 0;
  return {
    ...(attachment.aliases.length === 0 ? {} : { Aliases: attachment.aliases }),
    ...(links.length === 0 ? {} : { Links: links }),
    ...(attachment.macAddress === undefined ? {} : { MacAddress: attachment.macAddress }),
    ...(Object.keys(attachment.driverOptions).length === 0 ? {} : { DriverOpts: attachment.driverOptions }),
    ...(attachment.gatewayPriority === 0 ? {} : { GwPriority: attachment.gatewayPriority }),
    ...(hasIpam
      ? {
          IPAMConfig: {
            ...(ip === undefined ? {} : { IPv4Address: ip }),
            ...(ip6 === undefined ? {} : { IPv6Address: ip6 }),
            ...(linkLocalIps.length === 0 ? {} : { LinkLocalIPs: linkLocalIps }),
          },
        }
      : {}),
  };
}
