import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineConfig } from '../config/index.ts';
import { EngineError } from '../errors/index.ts';
import { macOf } from '../lib/mac-of.ts';
import { tryLock } from '../lib/native.ts';
import {
  chooseSubnet,
  formatSubnet,
  type HostLink,
  type HostNetwork,
  overlaps,
  parseSubnet,
  type Subnet,
  takenSubnets,
  toAddress,
} from './addresses.ts';
import { bridgeOptions, defaultBridgeOptions } from './bridge-options.ts';
import type { BridgeNames, SubnetChoice } from './create-request.ts';
import { allowForwarding, ip, ipForce, type KernelNames, readHost } from './kernel.ts';
import { bridgeLines, newBridgeLine } from './links.ts';
import { type BridgeRecord, type NetworkRecord, type NetworkRecords, newRecord } from './records.ts';
import type { BridgeRules } from './rules.ts';

/**
 * Runs `action` while no other engine of this host chooses or makes a bridge: between reading the host's addresses
 * and adding one, another could take the same range.
 */
export async function withSubnetLock<T>(config: EngineConfig, action: () => Promise<T>): Promise<T> {
  const directory = dirname(config.run);
  await mkdir(directory, { recursive: true });
  const file = await open(join(directory, 'subnets.lock'), 'a');
  try {
    const deadline = Date.now() + 30_000;
    while (!tryLock(file.fd)) {
      if (Date.now() > deadline) throw new EngineError('unavailable', 'another engine holds subnets.lock');
      await sleep(20);
    }
    return await action();
  } finally {
    await file.close();
  }
}

/** The built-in networks' records, made at the first start; the default bridge without a range yet. */
export function ensureBuiltins(records: NetworkRecords): void {
  for (const [name, driver] of [
    ['bridge', 'bridge'],
    ['host', 'host'],
    ['none', 'null'],
  ] as const) {
    if (records.byName(name) === undefined) records.put(newRecord(name, driver));
  }
}

export interface BridgeSetup {
  readonly config: EngineConfig;
  readonly names: KernelNames;
  readonly records: NetworkRecords;
  /** Networks that running containers use: their ranges cannot change. */
  readonly inUse: ReadonlySet<string>;
}

/** Makes or adopts the bridge of every network. Call it inside `withSubnetLock`. */
export async function ensureBridges({ config, names, records, inUse }: BridgeSetup): Promise<void> {
  const host = await readHost();
  const taken = takenSubnets(host, names.ownsLink);
  const others = records
    .all()
    .flatMap(({ name, bridge }) =>
      bridge === undefined || name === 'bridge' ? [] : [parseSubnet(bridge.subnet)],
    );
  for (const record of records.all()) {
    if (record.driver !== 'bridge') continue;
    const wanted =
      record.name === 'bridge'
        ? defaultBridge({ record, config, names, taken: [...taken, ...others], keep: inUse.has(record.id) })
        : record.bridge;
    if (wanted === undefined) continue;
    if (JSON.stringify(wanted) !== JSON.stringify(record.bridge)) {
      records.put({ ...record, bridge: wanted, options: defaultBridgeOptions(wanted.device, wanted.mtu) });
    }
    const link = host.links.find(({ ifname }) => ifname === wanted.device);
    const isThere = link?.addr_info?.some(({ local }) => local === wanted.gateway) ?? false;
    if (!isThere) {
      if (link !== undefined) {
        if (!ownsLink(names, link)) {
          throw new EngineError(
            'conflict',
            `Cannot bring up network "${record.name}": the host has an interface ${wanted.device} of its own`,
          );
        }
        await ip([`link del dev ${wanted.device}`]);
      }
      await makeBridge(wanted, markOf(names, record.id, wanted));
    }
    await allowForwarding(wanted.device);
  }
}

/** Whether a link of the host is ours; one that a user named has our mark. */
export function ownsLink(names: KernelNames, { ifname, altnames = [] }: HostLink): boolean {
  return [ifname, ...altnames].some((name) => names.ownsLink(name));
}

/** What a new network must get out of the way of. */
interface Known {
  readonly names: KernelNames;
  readonly host: HostNetwork;
  readonly records: readonly NetworkRecord[];
}

export function subnetChoice({ names, host, records }: Known): SubnetChoice {
  const pools = records.flatMap(({ bridge }) => (bridge ? [parseSubnet(bridge.subnet)] : []));
  return { pools, choose: () => chooseSubnet([...pools, ...takenSubnets(host, names.ownsLink)]) };
}

export function bridgeNames({ names, host, records }: Known): BridgeNames {
  const used = host.links.flatMap(({ ifname, altnames = [] }) => [ifname, ...altnames]);
  return {
    taken: new Map<string, NetworkRecord | undefined>([
      ...used.map((name) => [name, undefined] as const),
      ...records.flatMap((record) => (record.bridge ? [[record.bridge.device, record] as const] : [])),
    ]),
    of: (networkId) => names.userBridge(networkId),
  };
}

/** The second name of a bridge whose first is a user's: the one it would have had from us. */
export function markOf(names: KernelNames, networkId: string, { device }: BridgeRecord): string | undefined {
  return names.ownsLink(device) ? undefined : names.userBridge(networkId);
}

/** On failure nothing of it remains; a link of that name that was there already is somebody else's and stays. */
export async function makeBridge(
  { device, subnet, gateway, mtu }: BridgeRecord,
  mark?: string,
): Promise<void> {
  const { prefix } = parseSubnet(subnet);
  await ip([newBridgeLine({ name: device, mac: macOf(gateway), mtu })]);
  try {
    await ip(bridgeLines({ name: device, mark, gateway, prefix }));
  } catch (error) {
    await ipForce([`link del dev ${device}`]);
    throw error;
  }
}

export function bridgeRulesOf(records: readonly NetworkRecord[]): BridgeRules[] {
  return records.flatMap(({ bridge, internal, options }) =>
    bridge === undefined
      ? []
      : [
          {
            bridge: bridge.device,
            subnet: bridge.subnet,
            internal,
            masquerade: bridgeOptions(options).masquerade,
            icc: bridgeOptions(options).icc,
          },
        ],
  );
}

interface DefaultBridgeChoice {
  readonly record: NetworkRecord;
  readonly config: EngineConfig;
  readonly names: KernelNames;
  readonly taken: readonly Subnet[];
  readonly keep: boolean;
}

/** `--bip`, else the range it had if that is still free, else the first free pool. */
function defaultBridge({ record, config, names, taken, keep }: DefaultBridgeChoice): BridgeRecord {
  const before = record.bridge;
  if (keep && before !== undefined) return before;
  if (config.bip !== undefined) {
    const subnet = parseSubnet(config.bip);
    const gateway = config.bip.split('/')[0] ?? '';
    return { device: names.bridge, subnet: formatSubnet(subnet), gateway, mtu: 1500 };
  }
  if (before !== undefined && !taken.some((range) => overlaps(range, parseSubnet(before.subnet))))
    return before;
  const subnet = chooseSubnet(taken);
  return {
    device: names.bridge,
    subnet: formatSubnet(subnet),
    gateway: toAddress(subnet.base + 1),
    mtu: 1500,
  };
}
