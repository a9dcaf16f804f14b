import type { EndpointSettings } from '../api/index.ts';

// Driver options of one endpoint, as Docker's bridge driver knows them.

const deviceOption = 'com.docker.network.endpoint.ifname';
const sysctlsOption = 'com.docker.network.endpoint.sysctls';
/** What begins otherwise is a note of the user's, which Docker keeps too. */
const ownNames = 'com.docker.network.';

type DriverOptions = EndpointSettings['DriverOpts'];

/** A sysctl of an interface whose name is not known yet: `/proc/sys/net/FAMILY/KIND/DEVICE/REST`. */
export interface InterfaceSysctl {
  readonly family: string;
  readonly kind: string;
  readonly rest: string;
  readonly value: string;
}

/** The name that the interface is to have in the container. */
export function deviceOf(options: DriverOptions | undefined): string | undefined {
  return options?.[deviceOption] || undefined;
}

export function sysctlsOf(options: DriverOptions | undefined): InterfaceSysctl[] {
  return sysctlTexts(options).flatMap((text) => parseSysctl(text) ?? []);
}

/** What is wrong with them, in Docker's words where it has some. */
export function problemOf(options: DriverOptions | undefined): string | undefined {
  const unknown = Object.keys(options ?? {}).find(
    (name) => name.startsWith(ownNames) && name !== deviceOption && name !== sysctlsOption,
  );
  if (unknown !== undefined) return `driver option "${unknown}" is not supported`;
  const device = deviceOf(options);
  if (device !== undefined && !isDeviceName(device))
    return `invalid interface name: ${JSON.stringify(device)}`;
  const wrong = sysctlTexts(options).find((text) => parseSysctl(text) === undefined);
  if (wrong === undefined) return undefined;
  return `unrecognised network interface sysctl '${wrong}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`;
}

function sysctlTexts(options: DriverOptions | undefined): string[] {
  const text = options?.[sysctlsOption] ?? '';
  return text === '' ? [] : text.split(',');
}

/** `net.ipv4.conf.IFNAME.log_martians=1`; the docker CLI writes the option in lower case. */
function parseSysctl(text: string): InterfaceSysctl | undefined {
  const match = /^net\.(ipv4|ipv6|mpls)\.(\w+)\.(?:IFNAME|ifname)\.(\w+)=(.*)$/.exec(text);
  if (match === null) return undefined;
  const [, family = '', kind = '', rest = '', value = ''] = match;
  return { family, kind, rest, value };
}

/** At most 15 bytes that mean nothing to a path or to `ip`. */
export function isDeviceName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(name) && !['lo', 'all', 'default'].includes(name);
}
