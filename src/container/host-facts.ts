import { existsSync } from 'node:fs';
import { access, readdir, readFile, statfs } from 'node:fs/promises';
import { availableParallelism, hostname, release } from 'node:os';
import { join } from 'node:path';
import { hasErrno } from '../errors/index.ts';
import { kernelAtLeast } from '../lib/kernel-version.ts';
import { kernelRunsX32 } from '../lib/native.ts';
import { hostPlatform } from '../oci/index.ts';
import { type AppArmorFacts, probeAppArmor } from './apparmor.ts';
import { capabilitiesInMask } from './spec/capabilities.ts';

/** What of this host decides how a container is set up. Probed once, then passed about. */
export interface HostFacts {
  readonly cgroupVersion: 1 | 2;
  /** Mount points by controller: one path for all on v2, one each on v1. */
  readonly cgroupPaths: Readonly<Record<string, string>>;
  /** `6.1.0-13-amd64` */
  readonly kernelVersion: string;
  /** Go's word: amd64, arm64. */
  readonly architecture: string;
  readonly hostname: string;
  readonly cpuCount: number;
  /** Kernel lists: `0-3`. */
  readonly onlineCpus: string;
  readonly memoryNodes: string;
  /** Bytes. */
  readonly memoryTotal: number;
  /** Those a container may have at most: what this process holds itself. */
  readonly capabilities: readonly string[];
  /** Hard limits of this process, by their names in `--ulimit`; Infinity is none. A container inherits them. */
  readonly hardLimits: Readonly<Record<string, number>>;
  readonly oomScoreAdj: number;
  readonly seccomp: boolean;
  /** The kernel runs programs of the x32 ABI. */
  readonly x32: boolean;
  readonly apparmor: AppArmorFacts;
  readonly selinux: boolean;
  /** A limit on swap can be set. */
  readonly swapLimit: boolean;
  readonly swappiness: boolean;
  readonly oomKillDisable: boolean;
  readonly blkioWeight: boolean;
  readonly blkioWeightDevice: boolean;
  readonly cpuRealtime: boolean;
  /** Recursively read-only bind mounts. */
  readonly recursiveReadOnly: boolean;
  /** Directories of the kernel to mask, one for each CPU that has it. */
  readonly thermalThrottlePaths: readonly string[];
  /** Sysctls that exist, of those Docker sets in each network namespace. */
  readonly networkSysctls: Readonly<Record<string, string>>;
  /** A static init for `--init`; `undefined` when none is installed. */
  readonly initPath: string | undefined;
}

const cgroupRoot = '/sys/fs/cgroup';
const cgroup2Magic = 0x63677270;
// Only static ones: the dynamic /usr/bin/tini finds no libc in most images.
const initPaths = [
  '/usr/libexec/docker/docker-init',
  '/usr/bin/docker-init',
  '/usr/bin/tini-static',
  '/usr/local/bin/docker-init',
];
const wantedSysctls: Readonly<Record<string, string>> = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

export async function probeHost(): Promise<HostFacts> {
  const [filesystem, status, limits, score, possible, online, nodes, meminfo, mounts, apparmor] =
    await Promise.all([
      statfs(cgroupRoot),
      readFile('/proc/self/status', 'utf8'),
      readFile('/proc/self/limits', 'utf8'),
      readFile('/proc/self/oom_score_adj', 'utf8'),
      readOr('/sys/devices/system/cpu/possible', '0'),
      readOr('/sys/devices/system/cpu/online', '0'),
      readOr('/sys/devices/system/node/online', '0'),
      readFile('/proc/meminfo', 'utf8'),
      readFile('/proc/self/mountinfo', 'utf8'),
      probeAppArmor(),
    ]);
  const cgroupVersion = filesystem.type === cgroup2Magic ? 2 : 1;
  const cgroupPaths = cgroupVersion === 2 ? { unified: cgroupRoot } : cgroupMounts(mounts);
  const kernelVersion = release();
  const has = (controller: string, file: string) => {
    const directory = cgroupPaths[controller];
    return directory !== undefined && existsSync(join(directory, file));
  };
  const v1 = cgroupVersion === 1;
  const { architecture } = hostPlatform();
  return Object.freeze({
    cgroupVersion,
    cgroupPaths,
    kernelVersion,
    architecture,
    hostname: hostname(),
    cpuCount: availableParallelism(),
    onlineCpus: online.trim(),
    memoryNodes: nodes.trim(),
    memoryTotal: Number(/^MemTotal:\s+(\d+)/m.exec(meminfo)?.[1] ?? 0) * 1024,
    capabilities: capabilitiesInMask(/^CapEff:\s+([0-9a-f]+)/m.exec(status)?.[1] ?? '0'),
    hardLimits: hardLimitsIn(limits),
    oomScoreAdj: Number(score),
    seccomp: /^Seccomp:/m.test(status),
    x32: architecture === 'amd64' && kernelRunsX32(),
    apparmor,
    selinux: existsSync('/sys/fs/selinux/enforce'),
    swapLimit: v1 ? has('memory', 'memory.memsw.limit_in_bytes') : await unifiedSwapLimit(),
    swappiness: v1 && has('memory', 'memory.swappiness'),
    oomKillDisable: v1 && has('memory', 'memory.oom_control'),
    blkioWeight: v1 ? has('blkio', 'blkio.weight') || has('blkio', 'blkio.bfq.weight') : true,
    blkioWeightDevice: v1
      ? has('blkio', 'blkio.weight_device') || has('blkio', 'blkio.bfq.weight_device')
      : await unifiedDeviceWeights(cgroupRoot),
    cpuRealtime: v1 && has('cpu', 'cpu.rt_runtime_us'),
    recursiveReadOnly: kernelAtLeast(kernelVersion, '5.12'),
    thermalThrottlePaths: numbersIn(possible.trim())
      .map((cpu) => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`)
      .filter((path) => existsSync(path)),
    networkSysctls: Object.fromEntries(
      Object.entries(wantedSysctls).filter(([name]) => existsSync(`/proc/sys/${name.replaceAll('.', '/')}`)),
    ),
    initPath: await firstExecutable(initPaths),
  });
}

/** Names in `--ulimit` of what /proc/PID/limits shows. */
const ulimitOf: Readonly<Record<string, string>> = {
  'Max cpu time': 'cpu',
  'Max file size': 'fsize',
  'Max data size': 'data',
  'Max stack size': 'stack',
  'Max core file size': 'core',
  'Max resident set': 'rss',
  'Max processes': 'nproc',
  'Max open files': 'nofile',
  'Max locked memory': 'memlock',
  'Max file locks': 'locks',
  'Max pending signals': 'sigpending',
  'Max msgqueue size': 'msgqueue',
  'Max nice priority': 'nice',
  'Max realtime priority': 'rtprio',
  'Max realtime timeout': 'rttime',
};

/** The hard limits in the text of a /proc/PID/limits. */
export function hardLimitsIn(limits: string): Record<string, number> {
  return Object.fromEntries(
    limits.split('\n').flatMap((line) => {
      const match = /^(Max .*?) +(?:\d+|unlimited) +(\d+|unlimited)\b/.exec(line);
      const name = ulimitOf[match?.[1] ?? ''];
      if (name === undefined) return [];
      return [[name, match?.[2] === 'unlimited' ? Infinity : Number(match?.[2])]];
    }),
  );
}

/** The numbers of a kernel list: `0-2,5` is 0, 1, 2, 5. A malformed part throws RangeError. */
export function numbersIn(list: string): number[] {
  if (list === '') return [];
  return list.split(',').flatMap((part) => {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) throw new RangeError(`invalid format: ${list}`);
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (last < first || last > 8191) throw new RangeError(`invalid format: ${list}`);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** Mount point of each v1 controller; of `cpu,cpuacct` for both words. Named hierarchies as `name=systemd`. */
function cgroupMounts(mountinfo: string): Record<string, string> {
  const paths: Record<string, string> = {};
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [type, , options = ''] = after.split(' ');
    const target = before.split(' ')[4];
    if (target === undefined) continue;
    if (type === 'cgroup2') paths['unified'] ??= target;
    if (type !== 'cgroup') continue;
    for (const option of options.split(',')) paths[option] ??= target;
  }
  return paths;
}

/** memory.swap.max exists in every cgroup but the root, where its controller is compiled in. */
async function unifiedSwapLimit(): Promise<boolean> {
  const own = (await readOr('/proc/self/cgroup', '')).split('\n').find((line) => line.startsWith('0::'));
  const directory = join(cgroupRoot, own?.slice('0::'.length) ?? '/');
  return existsSync(join(directory, 'memory.swap.max')) || existsSync('/proc/swaps');
}

/**
 * Only BFQ weighs devices for runc, which says nothing where BFQ is not there. Its file exists in every cgroup below
 * the root once the kernel has it, and begins with `default` since it takes devices too. [runc fs2/io.go]
 */
export async function unifiedDeviceWeights(root: string): Promise<boolean> {
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const weights = await readOr(join(root, entry.name, 'io.bfq.weight'), '');
    if (weights !== '') return weights.startsWith('default');
  }
  return false;
}

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    try {
      await access(path, 1);
      return path;
    } catch (error) {
      if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'EACCES')) throw error;
    }
  }
  return undefined;
}

async function readOr(path: string, otherwise: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'EACCES') || hasErrno(error, 'ENOTDIR'))
      return otherwise;
    throw error;
  }
}
