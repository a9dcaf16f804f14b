import { isIPv4, isIPv6 } from 'node:net';
import type { IpamPool, NetworkInspect } from '../../api/index.ts';
import { EngineError, isCode } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { forEach } from '../each.ts';
import { filter, map, tableFormat } from '../flag-kinds.ts';
import { bool, int, list, strings, text } from '../flags.ts';
import { type Listing, renderListing } from '../output/listing.ts';
import { goTime, shortId } from '../output/units.ts';
import { listFormat, pruneFilters } from '../remote/docker-config.ts';
import { endpointOf } from '../run/network-option.ts';
import { parsePairs } from '../run/resources.ts';
import { ipamPools } from './ipam.ts';

export const networkCreateCommand = defineCommand({
  usage: '[OPTIONS] NETWORK',
  summary: 'Create a network',
  minArgs: 1,
  maxArgs: 1,
  flags: {
    attachable: bool('Enable manual container attachment'),
    'aux-address': map('Auxiliary IPv4 or IPv6 addresses used by Network driver'),
    'config-from': text('The network from which to copy the configuration'),
    'config-only': bool('Create a configuration only network'),
    driver: text('Driver to manage the Network', { short: 'd', initial: 'bridge' }),
    gateway: strings('IPv4 or IPv6 Gateway for the master subnet'),
    ingress: bool('Create swarm routing-mesh network'),
    internal: bool('Restrict external access to the network'),
    'ip-range': strings('Allocate container ip from a sub-range'),
    'ipam-driver': text('IP Address Management Driver', { initial: 'default' }),
    'ipam-opt': map('Set IPAM driver specific options'),
    ipv4: bool('Enable or disable IPv4 address assignment', { initial: true }),
    ipv6: bool('Enable or disable IPv6 address assignment'),
    label: list('Set metadata on a network'),
    opt: map('Set driver specific options', { short: 'o' }),
    scope: text("Control the network's scope"),
    subnet: strings('Subnet in CIDR format that represents a network segment'),
  },
  async run({ context, values, given, args }) {
    const { networks } = await context.client();
    const pools: IpamPool[] = ipamPools({
      subnets: values.subnet,
      ranges: values['ip-range'],
      gateways: values.gateway,
      auxiliary: values['aux-address'],
    });
    const { Id, Warning } = await networks.create({
      Name: args[0] ?? '',
      Driver: values.driver,
      Options: values.opt,
      IPAM: { Driver: values['ipam-driver'], Config: pools, Options: values['ipam-opt'] },
      Internal: values.internal,
      Attachable: values.attachable,
      Ingress: values.ingress,
      ConfigOnly: values['config-only'],
      Labels: parsePairs(values.label),
      ...(values.scope === '' ? {} : { Scope: values.scope }),
      ...(values['config-from'] === '' ? {} : { ConfigFrom: { Network: values['config-from'] } }),
      ...(given.has('ipv4') ? { EnableIPv4: values.ipv4 } : {}),
      ...(given.has('ipv6') ? { EnableIPv6: values.ipv6 } : {}),
    });
    if (Warning) context.stderr.write(`WARNING: ${Warning}\n`);
    context.stdout.write(`${Id}\n`);
  },
});

/** The list of `network ls`. */
function networkListing(networks: readonly NetworkInspect[], trunc: boolean): Listing {
  return {
    headings: {
      ID: 'NETWORK ID',
      Name: 'NAME',
      Driver: 'DRIVER',
      Scope: 'SCOPE',
      IPv4: 'IPV4',
      IPv6: 'IPV6',
      Internal: 'INTERNAL',
      Labels: 'LABELS',
      CreatedAt: 'CREATED AT',
    },
    table: '{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}',
    quiet: '{{.ID}}',
    rows: networks.map((network) => ({
      ID: trunc ? shortId(network.Id) : network.Id,
      Name: network.Name,
      Driver: network.Driver,
      Scope: network.Scope,
      IPv4: String(network.EnableIPv4),
      IPv6: String(network.EnableIPv6),
      Internal: String(network.Internal),
      Labels: Object.entries(network.Labels ?? {})
        .map(([key, value]) => `${key}=${value}`)
        .sort()
        .join(','),
      Label: (name: string) => network.Labels?.[name] ?? '',
      CreatedAt: goTime(Date.parse(network.Created)),
    })),
  };
}

export const networkLsCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'List networks',
  aliases: ['network ls', 'network list'],
  minArgs: 0,
  maxArgs: 0,
  flags: {
    filter: filter('Provide filter values (e.g. "driver=bridge")', { short: 'f' }),
    format: tableFormat(),
    'no-trunc': bool('Do not truncate the output'),
    quiet: bool('Only display network IDs', { short: 'q' }),
  },
  async run({ context, values }) {
    const { networks } = await context.client();
    const found = await networks.list(values.filter);
    const sorted = [...found].sort((a, b) => a.Name.localeCompare(b.Name));
    const listing = networkListing(sorted, !values['no-trunc']);
    const format = listFormat(await context.settings(), 'networksFormat', values);
    context.stdout.write(renderListing(listing, format, { quiet: values.quiet }));
  },
});

export const networkRmCommand = defineCommand({
  usage: 'NETWORK [NETWORK...]',
  summary: 'Remove one or more networks',
  aliases: ['network rm', 'network remove'],
  minArgs: 1,
  flags: { force: bool('Do not error if the network does not exist', { short: 'f' }) },
  async run({ context, values, args }) {
    const { networks } = await context.client();
    const remove = async (name: string) => {
      try {
        await networks.remove(name);
        return name;
      } catch (error) {
        if (!values.force || !isCode(error, 'notFound')) throw error;
        return null;
      }
    };
    return forEach(context, args, remove);
  },
});

export const networkConnectCommand = defineCommand({
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Connect a container to a network',
  minArgs: 2,
  maxArgs: 2,
  flags: {
    alias: strings('Add network-scoped alias for the container'),
    'driver-opt': strings('driver options for the network'),
    'gw-priority': int(
      'Highest gw-priority provides the default gateway. Accepts positive and negative values.',
    ),
    ip: text('IPv4 address (e.g., "172.30.100.104")'),
    ip6: text('IPv6 address (e.g., "2001:db8::33")'),
    link: list('Add link to another container'),
    'link-local-ip': strings('Add a link-local address for the container'),
  },
  async run({ context, values, args }) {
    const [network = '', container = ''] = args;
    if (values.ip !== '' && !isIPv4(values.ip))
      throw new EngineError('invalidArgument', `invalid IPv4 address: ${values.ip}`);
    if (values.ip6 !== '' && !isIPv6(values.ip6))
      throw new EngineError('invalidArgument', `invalid IPv6 address: ${values.ip6}`);
    const attachment = {
      name: network,
      aliases: values.alias,
      linkLocalIps: values['link-local-ip'],
      driverOptions: parsePairs(values['driver-opt']),
      gatewayPriority: values['gw-priority'],
      ...(values.ip === '' ? {} : { ip: values.ip }),
      ...(values.ip6 === '' ? {} : { ip6: values.ip6 }),
    };
    const { networks } = await context.client();
    await networks.connect(network, container, endpointOf(attachment, values.link));
  },
});

export const networkDisconnectCommand = defineCommand({
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Disconnect a container from a network',
  minArgs: 2,
  maxArgs: 2,
  flags: { force: bool('Force the container to disconnect from a network', { short: 'f' }) },
  async run({ context, values, args }) {
    const [network = '', container = ''] = args;
    await (await context.client()).networks.disconnect(network, container, values);
  },
});

export const networkPruneCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove all unused networks',
  minArgs: 0,
  maxArgs: 0,
  flags: {
    filter: filter('Provide filter values (e.g. "until=<timestamp>")'),
    force: bool('Do not prompt for confirmation', { short: 'f' }),
  },
  async run({ context, values }) {
    const warning = 'This will remove all custom networks not used by at least one container.';
    if (!values.force && !(await confirm(context, warning))) return 0;
    const { networks } = await context.client();
    const filters = pruneFilters(await context.settings(), values.filter);
    const names = (await networks.prune(filters)).NetworksDeleted ?? [];
    if (names.length > 0)
      context.stdout.write(`Deleted Networks:\n${names.map((name) => `${name}\n`).join('')}\n`);
    return 0;
  },
});
