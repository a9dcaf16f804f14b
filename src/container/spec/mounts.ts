import type { HostConfig } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import type { RuntimeMount } from '../../runtime/index.ts';
import type { ContainerMount } from '../record.ts';
import { securityOptions } from './security-options.ts';
import { mergeTmpfsOptions } from './tmpfs-options.ts';

/** The engine's files that appear in a container, as paths on the host. */
export interface ContainerFiles {
  readonly resolvConf?: string;
  readonly hostname?: string;
  readonly hosts?: string;
}

export interface MountInput {
  readonly hostConfig: Pick<
    HostConfig,
    'Privileged' | 'ReadonlyRootfs' | 'ShmSize' | 'IpcMode' | 'SecurityOpt'
  >;
  /** The user's mounts; `Source` is the directory or file on the host, also for volumes. */
  readonly mounts: readonly ContainerMount[];
  readonly files: ContainerFiles;
  /** Another shared memory directory than the container's own: with `--ipc host`, `shareable` or `container:x`. */
  readonly shmPath?: string;
  /** The init program on the host when the container has one. */
  readonly initPath?: string;
  readonly recursiveReadOnly: boolean;
}

/** Where the init program appears in the container. */
export const initDestination = '/sbin/docker-init';

const quiet = ['nosuid', 'noexec', 'nodev'];
const shm = '/dev/shm';

const defaultMounts: readonly RuntimeMount[] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: quiet },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...quiet, 'ro'] },
  { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro', ...quiet] },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: quiet },
  { destination: shm, type: 'tmpfs', source: 'shm', options: [...quiet, 'mode=1777'] },
];

/** Stay writable under a read-only root. */
const alwaysWritable = new Set(['/proc', '/dev', '/dev/pts', shm, '/dev/mqueue']);

/** A container's mounts in the order they are made: Docker's defaults, then the user's by depth. */
export function createMounts(input: MountInput): RuntimeMount[] {
  const own = userMounts(input);
  const taken = new Set(own.map((mount) => mount.destination));
  const defaults = defaultMounts
    .filter(({ destination }) => isKept(destination, taken, input))
    .map((mount) => adapt(mount, input));
  return [...defaults, ...own];
}

function isKept(destination: string, taken: ReadonlySet<string>, { hostConfig }: MountInput): boolean {
  if (taken.has(destination)) return false;
  if (destination.startsWith('/dev/') && taken.has('/dev')) return false;
  return !(destination === shm && hostConfig.IpcMode === 'none');
}

function adapt(mount: RuntimeMount, { hostConfig }: MountInput): RuntimeMount {
  const { destination } = mount;
  const options = destination === shm ? [...mount.options, `size=${hostConfig.ShmSize}`] : mount.options;
  if (isWritableSystem(destination, hostConfig)) {
    return { ...mount, options: options.filter((one) => one !== 'ro') };
  }
  if (hostConfig.ReadonlyRootfs && !alwaysWritable.has(destination) && !options.includes('ro')) {
    return { ...mount, options: [...options, 'ro'] };
  }
  return { ...mount, options };
}

/** A privileged container may write to /sys and its cgroups; `writable-cgroups` decides for the latter alone. */
function isWritableSystem(
  destination: string,
  { Privileged, SecurityOpt }: MountInput['hostConfig'],
): boolean {
  if (destination === '/sys') return Privileged;
  if (destination !== '/sys/fs/cgroup') return false;
  return securityOptions(SecurityOpt ?? []).writableCgroups ?? Privileged;
}

function userMounts(input: MountInput): RuntimeMount[] {
  const given = input.mounts.map((mount) => toRuntimeMount(mount, input.recursiveReadOnly));
  const taken = new Set(given.map((mount) => mount.destination));
  const mounts = [...given];
  const add = (mount: RuntimeMount) => {
    if (!taken.has(mount.destination)) mounts.push(mount);
  };
  if (input.shmPath !== undefined) {
    add({ destination: shm, type: 'bind', source: input.shmPath, options: ['rbind', 'rprivate'] });
  }
  const { resolvConf, hostname, hosts } = input.files;
  const options = ['rbind', ...(input.hostConfig.ReadonlyRootfs ? ['ro'] : []), 'rprivate'];
  for (const [destination, source] of [
    ['/etc/resolv.conf', resolvConf],
    ['/etc/hostname', hostname],
    ['/etc/hosts', hosts],
  ] as const) {
    if (source !== undefined) add({ destination, type: 'bind', source, options });
  }
  if (input.initPath !== undefined) {
    add({ destination: initDestination, type: 'bind', source: input.initPath, options: ['bind', 'ro'] });
  }
  return mounts.sort((a, b) => depthOf(a.destination) - depthOf(b.destination));
}

function toRuntimeMount(mount: ContainerMount, recursiveReadOnly: boolean): RuntimeMount {
  const destination = mount.Destination;
  if (mount.Type === 'tmpfs') {
    return tmpfs(destination, [...(mount.tmpfsOptions ?? []), ...(mount.RW ? [] : ['ro'])]);
  }
  const bind = mount.nonRecursive === true ? 'bind' : 'rbind';
  const below = recursiveReadOnly && bind === 'rbind' && mount.writableBelow !== true;
  const readOnly = below ? 'rro' : 'ro';
  return {
    destination,
    type: 'bind',
    source: mount.Source,
    options: [
      bind,
      ...(mount.RW ? [] : [readOnly]),
      mount.Propagation === '' ? 'rprivate' : mount.Propagation,
    ],
  };
}

function tmpfs(destination: string, given: readonly string[]): RuntimeMount {
  const options = mergeTmpfsOptions(['noexec', 'nosuid', 'nodev', 'rprivate', ...given]);
  return { destination, type: 'tmpfs', source: 'tmpfs', options };
}

/** Parts of an absolute path: what is mounted lower down comes later. */
export function depthOf(path: string): number {
  return path.split('/').filter((part) => part !== '').length;
}

/** `linux.rootfsPropagation` that lets the given mounts propagate; `undefined` when none asks for it. */
export function rootPropagation(mounts: readonly ContainerMount[]): 'shared' | 'rslave' | undefined {
  const modes = mounts.map((mount) => mount.Propagation.replace(/^r(?=shared|slave)/, ''));
  if (modes.includes('shared')) return 'shared';
  return modes.includes('slave') ? 'rslave' : undefined;
}

/**
 * Refuses a shared or slave mount whose source does not lie on such a mount of the host, as Docker does.
 * `mountinfo` is the text of /proc/self/mountinfo.
 */
export function assertPropagation(mounts: readonly ContainerMount[], mountinfo: string): void {
  for (const { Source: source, Propagation: propagation } of mounts) {
    const wanted = propagation.replace(/^r/, '');
    if (wanted !== 'shared' && wanted !== 'slave') continue;
    const host = mountOf(source, mountinfo);
    if (host.shared || (wanted === 'slave' && host.slave)) continue;
    const kind = wanted === 'shared' ? 'a shared' : 'a shared or slave';
    throw new EngineError(
      'invalidArgument',
      `path ${source} is mounted on ${host.target} but it is not ${kind} mount`,
    );
  }
}

function mountOf(path: string, mountinfo: string): { target: string; shared: boolean; slave: boolean } {
  let best = { target: '/', shared: false, slave: false };
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' - ', 1)[0]?.split(' ') ?? [];
    const target = fields[4]?.replace(/\\([0-7]{3})/g, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 8)),
    );
    if (target === undefined || target.length < best.target.length) continue;
    if (target !== '/' && path !== target && !path.startsWith(`${target}/`)) continue;
    const optional = fields.slice(6);
    best = {
      target,
      shared: optional.some((one) => one.startsWith('shared:')),
      slave: optional.some((one) => one.startsWith('master:')),
    };
  }
  return best;
}
