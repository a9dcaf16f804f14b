import type { MountSpec } from '../../api/index.ts';
import { parseMount } from '../run/mounts.ts';
import { endpointOf, type NetworkAttachment, parseNetwork } from '../run/network-option.ts';
import { parseUlimit } from '../run/resources.ts';
import { type ComposeWord, composeWords } from './compose-words.ts';
import { endpointOptions } from './network-settings.ts';
import type { Description, Setting } from './setting.ts';

type Node = Record<string, unknown>;

/** A file of the Compose specification, and the flags it has no words for. */
export interface ComposeFile {
  readonly document: Readonly<Node>;
  readonly unsaid: readonly string[];
}

/** A Compose project of one service that makes the container again, with the networks and volumes that are there. */
export function asCompose({ settings, image, args, unsaid: neverSaid }: Description): ComposeFile {
  const service: Node = { image };
  const networks: Node = {};
  const volumes: Node = {};
  const unsaid = [...neverSaid];
  const attached: NetworkAttachment[] = [];
  for (const setting of settings) {
    const word = composeWords[setting.flag];
    const value = String(setting.value);
    if (isInlineProfile(setting)) unsaid.push(`--security-opt ${value}`);
    else if (word !== undefined) copy(service, word, setting);
    else if (setting.flag === 'network') attached.push(parseNetwork(value));
    else if (isOfEndpoint(setting)) extend(attached, setting);
    else if (setting.flag === 'mount') {
      const mount = parseMount(value, '/');
      push(service, ['volumes'], mountNode(mount, volumes));
      unsaid.push(...unsaidOfMount(mount));
    } else if (setting.flag === 'ulimit') setUlimit(service, value);
    else if (blockDevices[setting.flag] !== undefined) pushDevice(service, setting);
    else if (setting.flag === 'entrypoint') set(service, ['entrypoint'], [value]);
    else if (setting.flag === 'volumes-from') push(service, ['volumes_from'], `container:${value}`);
    else if (mapFlags[setting.flag] !== undefined) setPair(service, mapFlags[setting.flag] ?? [], value);
    else unsaid.push(`--${setting.flag}${setting.value === true ? '' : ` ${value}`}`);
    if (setting.flag === 'volume') declareVolume(value, volumes);
  }
  if (args.length > 0) set(service, ['command'], args);
  unsaid.push(...setNetworks(service, attached, networks));
  const name = settings.find(({ flag }) => flag === 'name')?.value ?? 'service';
  return {
    document: escaped({
      services: { [String(name).replaceAll(/[^\w.-]/g, '_')]: service },
      ...(Object.keys(networks).length === 0 ? {} : { networks }),
      ...(Object.keys(volumes).length === 0 ? {} : { volumes }),
    }) as Node,
    unsaid,
  };
}

/** Compose takes the name of a file. */
function isInlineProfile({ flag, value }: Setting): boolean {
  return flag === 'security-opt' && String(value).startsWith('seccomp={');
}

/** Flags of `KEY=VALUE` that become maps. */
const mapFlags: Readonly<Record<string, readonly string[]>> = {
  annotation: ['annotations'],
  'log-opt': ['logging', 'options'],
  sysctl: ['sysctls'],
};

/** Flags of `DEVICE:NUMBER` that become lists of `blkio_config`, with what the number is there. */
const blockDevices: Readonly<Record<string, 'weight' | 'rate'>> = {
  'blkio-weight-device': 'weight',
  'device-read-bps': 'rate',
  'device-read-iops': 'rate',
  'device-write-bps': 'rate',
  'device-write-iops': 'rate',
};

function pushDevice(service: Node, { flag, value }: Setting): void {
  const [path, number] = String(value).split(':');
  const list = flag.replace(/^blkio-/, '').replaceAll('-', '_');
  push(service, ['blkio_config', list], { path, [blockDevices[flag] ?? '']: Number(number) });
}

function copy(service: Node, word: ComposeWord, { value }: Setting): void {
  switch (word.kind) {
    case 'implied':
      return;
    case 'text':
      set(service, word.path, value);
      return;
    case 'seconds':
      set(service, word.path, `${String(value)}s`);
      return;
    case 'number':
      set(service, word.path, Number(value));
      return;
    case 'bool':
      set(service, word.path, value === true);
      return;
    case 'list':
      push(service, word.path, value);
  }
}

function set(node: Node, [key = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) node[key] = value;
  else set((node[key] ??= {}) as Node, rest, value);
}

function push(node: Node, [key = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) ((node[key] ??= []) as unknown[]).push(value);
  else push((node[key] ??= {}) as Node, rest, value);
}

function setPair(service: Node, path: readonly string[], pair: string): void {
  const [key = '', ...rest] = pair.split('=');
  set(service, [...path, key], rest.join('='));
}

function setUlimit(service: Node, text: string): void {
  const { Name, Soft, Hard } = parseUlimit(text);
  set(service, ['ulimits', Name], Soft === Hard ? Soft : { soft: Soft, hard: Hard });
}

function mountNode(mount: MountSpec, volumes: Node): Node {
  if (mount.Type === 'volume' && mount.Source !== undefined) volumes[mount.Source] = { external: true };
  const bind = {
    ...(mount.BindOptions?.Propagation === undefined ? {} : { propagation: mount.BindOptions.Propagation }),
    ...(mount.BindOptions?.CreateMountpoint === true ? { create_host_path: true } : {}),
    ...recursive(mount),
  };
  const { NoCopy: nocopy, Subpath: subpath } = mount.VolumeOptions ?? {};
  const volume = { ...(nocopy === true ? { nocopy } : {}), ...(subpath === undefined ? {} : { subpath }) };
  const { Subpath: path } = mount.ImageOptions ?? {};
  const { SizeBytes: size, Mode: mode } = mount.TmpfsOptions ?? {};
  const tmpfs = { ...(size === undefined ? {} : { size }), ...(mode === undefined ? {} : { mode }) };
  return {
    type: mount.Type,
    ...(mount.Source === undefined ? {} : { source: mount.Source }),
    target: mount.Target,
    ...(mount.ReadOnly === true ? { read_only: true } : {}),
    ...(Object.keys(bind).length === 0 ? {} : { bind }),
    ...(Object.keys(volume).length === 0 ? {} : { volume }),
    ...(path === undefined ? {} : { image: { subpath: path } }),
    ...(Object.keys(tmpfs).length === 0 ? {} : { tmpfs }),
  };
}

function recursive({ BindOptions: bind }: MountSpec): Node {
  if (bind?.NonRecursive === true) return { recursive: 'disabled' };
  if (bind?.ReadOnlyNonRecursive === true) return { recursive: 'writable' };
  return bind?.ReadOnlyForceRecursive === true ? { recursive: 'readonly' } : {};
}

/** How a volume is to be made, which Compose says of the volumes of its own project only. */
function unsaidOfMount({ Target: target, VolumeOptions: options = {} }: MountSpec): string[] {
  const { DriverConfig: driver = {}, Labels: labels = {} } = options;
  const said = [
    ...(driver.Name === undefined ? [] : [`volume-driver=${driver.Name}`]),
    ...Object.entries(labels).map(([key, value]) => `volume-label=${key}=${value}`),
    ...Object.entries(driver.Options ?? {}).map(([key, value]) => `volume-opt=${key}=${value}`),
  ];
  return said.length === 0 ? [] : [`${said.join(',')} of --mount ${target}`];
}

/** A volume of `name:/path`: it is there already, so Compose must not make one of the project's own. */
function declareVolume(bind: string, volumes: Node): void {
  const [source = '', target] = bind.split(':');
  if (target !== undefined && !/^[/.~]/.test(source)) volumes[source] = { external: true };
}

function isOfEndpoint({ flag }: Setting): boolean {
  return ['network-alias', 'ip', 'ip6', 'mac-address', 'link-local-ip'].includes(flag);
}

function extend(attached: NetworkAttachment[], { flag, value }: Setting): void {
  const text = String(value);
  const first = attached[0] ?? parseNetwork('bridge');
  const changes = {
    'network-alias': { aliases: [...first.aliases, text] },
    ip: { ip: text },
    ip6: { ip6: text },
    'mac-address': { macAddress: text },
    'link-local-ip': { linkLocalIps: [...first.linkLocalIps, text] },
  }[flag];
  attached[0] = { ...first, ...changes };
}

/** Returns what Compose cannot say: it knows no options of the networks that it does not join by name. */
function setNetworks(service: Node, attached: readonly NetworkAttachment[], networks: Node): string[] {
  const [first, ...others] = attached;
  const mode = first?.name ?? 'bridge';
  if (['bridge', 'host', 'none'].includes(mode) || mode.startsWith('container:')) {
    service['network_mode'] = mode;
    if (first?.macAddress !== undefined) service['mac_address'] = first.macAddress;
    const options = first === undefined ? [] : endpointOptions(endpointOf(first));
    return [
      ...(options.length === 0 ? [] : [`${options.join(',')} of --network ${mode}`]),
      ...others.map(({ name }) => `--network ${name} beside ${mode}`),
    ];
  }
  for (const attachment of attached) {
    const { name, aliases, ip, ip6, linkLocalIps, macAddress } = attachment;
    const node = {
      ...(aliases.length === 0 ? {} : { aliases }),
      ...(ip === undefined ? {} : { ipv4_address: ip }),
      ...(ip6 === undefined ? {} : { ipv6_address: ip6 }),
      ...(macAddress === undefined ? {} : { mac_address: macAddress }),
      ...(linkLocalIps.length === 0 ? {} : { link_local_ips: linkLocalIps }),
      ...optionsOf(attachment),
    };
    set(service, ['networks', name], node);
    networks[name] = { external: true };
  }
  return [];
}

function optionsOf({ driverOptions, gatewayPriority }: NetworkAttachment): Node {
  return {
    ...(Object.keys(driverOptions).length === 0 ? {} : { driver_opts: driverOptions }),
    ...(gatewayPriority === 0 ? {} : { gw_priority: gatewayPriority }),
  };
}

/** Compose takes `$` for a variable of its own. */
function escaped(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$');
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, escaped(one)]));
}
