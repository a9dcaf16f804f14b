import type { EndpointSettings } from '../../api/index.ts';
import { macOf } from '../../lib/mac-of.ts';
import { csvField, each, on, one, type Setting, type Subject } from './setting.ts';

/** Networks with what was asked of them, published ports, names and resolvers. */
export function networkSettings({ container, image }: Subject): Setting[] {
  const { HostConfig: hostConfig, Config: config } = container;
  const bindings = hostConfig.PortBindings;
  const exposed = Object.keys(config.ExposedPorts ?? {}).filter(
    (port) => bindings[port] === undefined && image.ExposedPorts?.[port] === undefined,
  );
  return [
    ...networks(container),
    ...each('publish', published(bindings)),
    ...on('publish-all', hostConfig.PublishAllPorts),
    ...each(
      'expose',
      exposed.map((port) => port.replace(/\/tcp$/, '')),
    ),
    ...each('dns', hostConfig.Dns),
    ...each('dns-option', hostConfig.DnsOptions),
    ...each('dns-search', hostConfig.DnsSearch),
    ...each('add-host', hostConfig.ExtraHosts),
    ...each('link', links(container)),
  ];
}

/** Those of the first network; docker's CLI says them of the host's settings too. */
function links({ HostConfig, NetworkSettings }: Subject['container']): string[] {
  const first = NetworkSettings.Networks[mainNetwork(HostConfig.NetworkMode)];
  return [...new Set([...(HostConfig.Links ?? []), ...(first?.Links ?? [])].map(linkText))];
}

/** `/db:/web/alias`, as inspect has it, or `db:alias`. */
function linkText(link: string): string {
  const [container = '', alias = container] = link.split(':');
  return `${container.replace(/^\//, '')}:${alias.slice(alias.lastIndexOf('/') + 1)}`;
}

function published(bindings: Subject['container']['HostConfig']['PortBindings']): string[] {
  return Object.entries(bindings).flatMap(([port, hosts]) => {
    const inside = port.replace(/\/tcp$/, '');
    return (hosts ?? []).map(({ HostIp, HostPort }) => {
      if (HostIp === '') return HostPort === '' ? inside : `${HostPort}:${inside}`;
      return `${HostIp.includes(':') ? `[${HostIp}]` : HostIp}:${HostPort}:${inside}`;
    });
  });
}

/** Only `network connect` gives them: `run --link` is of the first network, and its `--network` has no such field. */
export function linksOfOtherNetworks({ HostConfig, NetworkSettings }: Subject['container']): string[] {
  const main = mainNetwork(HostConfig.NetworkMode);
  return Object.entries(NetworkSettings.Networks).flatMap(([name, { Links }]) =>
    name === main ? [] : (Links ?? []).map((link) => `--link ${link} of network ${name}`),
  );
}

function isDefaultMode(mode: string): boolean {
  return mode === 'default' || mode === 'bridge';
}

function mainNetwork(mode: string): string {
  return isDefaultMode(mode) ? 'bridge' : mode;
}

function networks({ HostConfig, NetworkSettings, Id }: Subject['container']): Setting[] {
  const mode = HostConfig.NetworkMode;
  const isDefault = isDefaultMode(mode);
  const main = mainNetwork(mode);
  const { [main]: first, ...others } = NetworkSettings.Networks;
  const options = first === undefined ? [] : endpointOptions(first);
  const isImplied = isDefault && options.length === 0 && Object.keys(others).length === 0;
  return [
    ...one('network', isImplied ? '' : options.length === 0 ? main : longForm(main, options)),
    ...(first === undefined ? [] : endpoint(first, Id)),
    ...Object.entries(others).map(([name, settings]) => ({
      flag: 'network',
      value: longForm(name, [...endpoint(settings, Id).map(asField), ...endpointOptions(settings)]),
    })),
  ];
}

function longForm(name: string, fields: readonly string[]): string {
  return [`name=${name}`, ...fields].map(csvField).join(',');
}

function endpoint(settings: EndpointSettings, id: string): Setting[] {
  // The engine's own alias is the container's short ID.
  const aliases = settings.Aliases?.filter((alias) => alias !== id.slice(0, 12));
  const ownMac = settings.MacAddress === macOf(settings.IPAddress);
  return [
    ...each('network-alias', aliases),
    ...one('ip', settings.IPAMConfig?.IPv4Address),
    ...one('ip6', settings.IPAMConfig?.IPv6Address),
    ...one('mac-address', ownMac ? '' : settings.MacAddress),
    ...each('link-local-ip', settings.IPAMConfig?.LinkLocalIPs),
  ];
}

/** Fields of a long `--network` that no flag of their own says. */
export function endpointOptions({ DriverOpts, GwPriority = 0 }: Partial<EndpointSettings>): string[] {
  return [
    ...Object.entries(DriverOpts ?? {}).map(([key, value]) => `driver-opt=${key}=${value}`),
    ...(GwPriority === 0 ? [] : [`gw-priority=${GwPriority}`]),
  ];
}

/** Inside of a long `--network` the alias has a shorter name. */
function asField({ flag, value }: Setting): string {
  return `${flag === 'network-alias' ? 'alias' : flag}=${String(value)}`;
}
