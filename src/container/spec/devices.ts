import { type BigIntStats, constants } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceMapping } from '../../api/index.ts';
import { EngineError, hasErrno } from '../../errors/index.ts';
import type { DeviceRule, RuntimeDevice } from '../../runtime/index.ts';

/** A device node of the host as it appears in a container, with what the container may do with it. */
export interface DeviceGrant {
  readonly node: RuntimeDevice;
  /** Letters of `rwm`. */
  readonly access: string;
}

/** Deny everything, then what every container may use. runc adds its own nodes and terminals. */
export const defaultDeviceRules: readonly DeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 5, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 9, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 8, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 0, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 1, access: 'rwm' },
  { allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' },
];

/** Under /dev, but no devices of the host. */
const notDevices = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev']);

/** The rules of a container's device cgroup, in order. */
export function deviceRules(
  privileged: boolean,
  grants: readonly DeviceGrant[],
  ruleTexts: readonly string[],
): DeviceRule[] {
  if (privileged) return [{ allow: true, access: 'rwm' }];
  return [
    ...defaultDeviceRules,
    ...grants.map(({ node, access }): DeviceRule => {
      const { type, major, minor } = node;
      return { allow: true, type: type === 'p' ? 'a' : type, major, minor, access };
    }),
    ...ruleTexts.map(parseDeviceRule),
  ];
}

/** Parses `c 1:3 rwm`; `*` is any number. `invalidArgument` with Docker's text. */
export function parseDeviceRule(text: string): DeviceRule {
  const match = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/.exec(text);
  if (match === null)
    throw new EngineError('invalidArgument', `invalid device cgroup rule format: '${text}'`);
  const [, type, major, minor, access = ''] = match;
  return {
    allow: true,
    type: type as 'a' | 'c' | 'b',
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  };
}

/** Looks up the devices of `--device` on this host; a directory gives every device below it. */
export async function resolveDevices(mappings: readonly DeviceMapping[]): Promise<DeviceGrant[]> {
  const grants = await Promise.all(mappings.map(resolveDevice));
  return grants.flat();
}

/** Every device node of this host, for a privileged container, and those of `--device` that get another name. */
export async function hostDevices(mappings: readonly DeviceMapping[] = []): Promise<DeviceGrant[]> {
  const renamed = mappings.filter((mapping) => pathInContainer(mapping) !== mapping.PathOnHost);
  const [nodes, others] = await Promise.all([devicesBelow('/dev'), resolveDevices(renamed)]);
  const own = nodes.filter(({ path }) => path !== '/dev/console').map((node) => ({ node, access: 'rwm' }));
  return [...own, ...others];
}

function pathInContainer({ PathOnHost, PathInContainer }: DeviceMapping): string {
  return PathInContainer === '' ? PathOnHost : PathInContainer;
}

async function resolveDevice(mapping: DeviceMapping): Promise<DeviceGrant[]> {
  const access = mapping.CgroupPermissions === '' ? 'rwm' : mapping.CgroupPermissions;
  const host = mapping.PathOnHost;
  const inside = pathInContainer(mapping);
  try {
    const info = await stat(host, { bigint: true });
    if (info.isDirectory()) {
      const nodes = await devicesBelow(host);
      if (nodes.length === 0) throw gatheringError(host, 'not a device node');
      return nodes.map((node) => ({
        node: { ...node, path: inside + node.path.slice(host.length) },
        access,
      }));
    }
    const node = deviceNode(inside, info);
    if (node === undefined) throw gatheringError(host, 'not a device node');
    return [{ node, access }];
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) throw gatheringError(host, 'no such file or directory');
    throw error;
  }
}

/** major:minor of a block or character device of the host, for throttling. */
export async function deviceNumber(path: string): Promise<{ major: number; minor: number }> {
  try {
    const { rdev } = await stat(path, { bigint: true });
    return splitDevice(rdev);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) {
      throw new EngineError('invalidArgument', `stat ${path}: no such file or directory`, { cause: error });
    }
    throw error;
  }
}

async function devicesBelow(directory: string): Promise<RuntimeDevice[]> {
  const nodes: RuntimeDevice[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      if (!notDevices.has(entry.name)) nodes.push(...(await devicesBelow(path)));
    } else if (entry.isCharacterDevice() || entry.isBlockDevice()) {
      const node = await lstatDevice(path);
      if (node !== undefined) nodes.push(node);
    }
  }
  return nodes;
}

/** `undefined` when it went away meanwhile: devices come and go. */
async function lstatDevice(path: string): Promise<RuntimeDevice | undefined> {
  try {
    return deviceNode(path, await lstat(path, { bigint: true }));
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function deviceNode(path: string, info: BigIntStats): RuntimeDevice | undefined {
  const kind = Number(info.mode) & constants.S_IFMT;
  if (kind !== constants.S_IFCHR && kind !== constants.S_IFBLK) return undefined;
  return {
    path,
    type: kind === constants.S_IFCHR ? 'c' : 'b',
    ...splitDevice(info.rdev),
    fileMode: Number(info.mode) & 0o7777,
    uid: Number(info.uid),
    gid: Number(info.gid),
  };
}

/** As glibc's major() and minor(). */
function splitDevice(device: bigint): { major: number; minor: number } {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn & 0xffffffffn);
  return { major: Number(major), minor: Number(minor) };
}

function gatheringError(path: string, reason: string): EngineError {
  return new EngineError(
    'invalidArgument',
    `error gathering device information while adding custom device ${JSON.stringify(path)}: ${reason}`,
  );
}
