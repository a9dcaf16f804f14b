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
import { bridgeLines, nameLines, newBridgeLine } from './links.ts';
import { type BridgeRecord, type NetworkRecord, type NetworkRecords, newRecord } from './records.ts';
import type { BridgeRules } from './rules.ts';

/**
 * Runs `action` while no other engine of this host chooses or makes a bridge: between reading the host's addresses
 * and adding one, another could take the same range.
 */
export async function withSubnetLock<T>(config: EngineConfig, action: () => Promise<T>): Promise<T> {
  const directory = dirname(config.run);
  await mkdir(directory, { recursive: true });
  const file = await open(join(directory, 'subnets.lock'), 'a', 0o600);
  try {
    // Whoever may open it, if only to read, can lock it. An earlier Gantry made it for all to read.
    await file.chmod(0o600);
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
  readonly onWarning: (message: string, error: unknown) => void;
}

/**
 * Makes or adopts the bridge of every network; one of the user's that cannot be had is down from then on. Call it
 * inside `withSubnetLock`.
 */
export async function ensureBridges(setup: BridgeSetup): Promise<void> {
  const { config, names, records, inUse, onWarning } = setup;
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
    try {
      await ensureBridge({ names, host, network: { id: record.id, bridge: wanted } });
    } catch (error) {
      if (record.name === 'bridge') throw error;
      records.setDown(record, error);
      onWarning(`Cannot bring up network "${record.name}"`, error);
    }
  }
}

interface WantedBridge {
  readonly names: KernelNames;
  readonly host: HostNetwork;
  readonly network: BridgedNetwork;
}

async function ensureBridge({ names, host, network }: WantedBridge): Promise<void> {
  const { device, gateway } = network.bridge;
  const mark = markOf(names, network);
  // One that was cut off in its making may be called as no network is.
  const own = mark === undefined ? [device] : [device, mark, names.newBridge];
  const present = host.links.filter((link) => namesOf(link).some((name) => own.includes(name)));
  if (present.some((link) => !ownsLink(names, link))) {
    throw new EngineError('conflict', `the host has an interface ${device} of its own`);
  }
  const isThere = present.some(
    (link) =>
      link.ifname === device &&
      (mark === undefined || namesOf(link).includes(mark)) &&
      link.addr_info?.some(({ local }) => local === gateway),
  );
  if (!isThere) {
    await ipForce(present.map(({ ifname }) => `link del dev ${ifname}`));
    await makeBridge(names, network);
  }
  await allowForwarding(device);
}

function namesOf({ ifname, altnames = [] }: HostLink): string[] {
  return [ifname, ...altnames];
}

/** Whether a link of the host is ours; one that a user named has our mark. */
export function ownsLink(names: KernelNames, link: HostLink): boolean {
  return namesOf(link).some((name) => names.ownsLink(name));
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
  const used = host.links.flatMap(namesOf);
  return {
    taken: new Map<string, NetworkRecord | undefined>([
      ...used.map((name) => [name, undefined] as const),
      ...records.flatMap((record) => (record.bridge ? [[record.bridge.device, record] as const] : [])),
    ]),
    of: (networkId) => names.userBridge(networkId),
  };
}

type BridgedNetwork = Pick<NetworkRecord, 'id'> & { readonly bridge: BridgeRecord };

/** The second name of a bridge whose first is a user's: the one it would have had from us. */
function markOf(names: KernelNames, { id, bridge }: BridgedNetwork): string | undefined {
  return names.ownsLink(bridge.device) ? undefined : names.userBridge(id);
}

/**
 * Lines of `ip` that make a bridge. One that a user names has our mark before it has that name: wherever this is cut
 * off, the link is known to be ours.
 */
export function bridgeScript(
  names: KernelNames,
  network: BridgedNetwork,
): [first: string, ...rest: string[]] {
  const { device, subnet, gateway, mtu } = network.bridge;
  const mark = markOf(names, network);
  const name = mark === undefined ? device : names.newBridge;
  return [
    newBridgeLine({ name, mac: macOf(gateway), mtu }),
    ...(mark === undefined ? [] : nameLines({ name, mark, newName: device })),
    ...bridgeLines({ name: device, gateway, prefix: parseSubnet(subnet).prefix }),
  ];
}

/**
 * On failure nothing of it remains; a link of that name that was there already is somebody else's and stays. Call it
 * inside `withSubnetLock`.
 */
export async function makeBridge(names: KernelNames, network: BridgedNetwork): Promise<void> {
  const [first, ...rest] = bridgeScript(names, network);
  await ip([first]);
  try {
    await ip(rest);
  } catch (error) {
    await ipForce([`link del dev ${names.newBridge}`, removeBridgeLine(names, network)]);
    throw error;
  }
}

/** A line of `ip` that removes a network's bridge, and never somebody else's of the same name. */
export function removeBridgeLine(names: KernelNames, network: BridgedNetwork): string {
  return `link del dev ${markOf(names, network) ?? network.bridge.device}`;
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
