import type { ContainerConfig, HostConfig } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import type { RuntimeSpec } from '../../runtime/index.ts';
import type { HostFacts } from '../host-facts.ts';
import type { ContainerMount } from '../record.ts';
import type { ResolvedUser } from '../user.ts';
import { type DeviceGrant, deviceRules } from './devices.ts';
import { type ContainerFiles, createMounts, rootPropagation } from './mounts.ts';
import { createNamespaces, isPrivateNetwork, type NamespacePaths } from './namespaces.ts';
import { createProcess } from './process.ts';
import { createResources, type DeviceBlockIo } from './resources.ts';
import { assertSeccomp, type SeccompProfiles, type SeccompSpec } from './seccomp.ts';
import { securityOptions } from './security-options.ts';

/** Everything a container's config.json is made of; nothing else is read. */
export interface SpecInput {
  /** 64 hex digits. */
  readonly id: string;
  /** With the image's merged in; `Hostname` is set, also with the host's network. */
  readonly config: ContainerConfig;
  /** Normalized. */
  readonly hostConfig: HostConfig;
  readonly host: HostFacts;
  readonly seccomp: SeccompProfiles;
  readonly user: ResolvedUser;
  /** The mounted root file system, absolute. */
  readonly rootfs: string;
  /** `Source` of every mount is a path of the host, also of a volume's. */
  readonly mounts: readonly ContainerMount[];
  readonly files: ContainerFiles;
  /** Directory for /dev/shm, unless the container makes its own. */
  readonly shmPath?: string;
  readonly namespaces: NamespacePaths;
  /** From `resolveDevices`, or `hostDevices` when privileged. */
  readonly devices: readonly DeviceGrant[];
  /** From `resolveBlockIo`. */
  readonly blockIo?: DeviceBlockIo;
  /** The engine's parent cgroup; `hostConfig.CgroupParent` comes before it. */
  readonly cgroupParent: string;
}

const defaultMaskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

export const defaultReadonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** Paths hidden from containers on this host. */
export function maskedPathsOf(host: Pick<HostFacts, 'thermalThrottlePaths'>): string[] {
  return [...defaultMaskedPaths, ...host.thermalThrottlePaths];
}

/** A container's config.json: a pure function with Docker's defaults. Throws `unavailable` for `--init` without an init. */
export function createSpec(input: SpecInput): RuntimeSpec {
  const { config, hostConfig, host } = input;
  const privileged = hostConfig.Privileged;
  const init = runsInit(hostConfig);
  if (init && host.initPath === undefined) {
    throw new EngineError('unavailable', 'docker-init is missing: install the package tini');
  }
  const process = createProcess({ config, hostConfig, user: input.user, host, init });
  const seccomp = seccompOf(input, process.capabilities?.bounding ?? []);
  const sysctl = sysctlsOf(input);
  const propagation = rootPropagation(input.mounts);
  const devices = input.devices.map(({ node }) => node);
  const limits = createResources(hostConfig);
  return {
    ociVersion: '1.0.2',
    ...(hostConfig.UTSMode === 'host' ? {} : { hostname: config.Hostname }),
    root: { path: input.rootfs, readonly: hostConfig.ReadonlyRootfs },
    process,
    mounts: createMounts({
      hostConfig,
      mounts: input.mounts,
      files: input.files,
      recursiveReadOnly: host.recursiveReadOnly,
      ...(input.shmPath === undefined ? {} : { shmPath: input.shmPath }),
      ...(init && host.initPath !== undefined ? { initPath: host.initPath } : {}),
    }),
    ...(hostConfig.Annotations === undefined ? {} : { annotations: hostConfig.Annotations }),
    linux: {
      namespaces: createNamespaces(hostConfig, input.namespaces),
      resources: {
        devices: deviceRules(privileged, input.devices, hostConfig.DeviceCgroupRules ?? []),
        ...limits,
        ...(input.blockIo === undefined ? {} : { blockIO: { ...limits.blockIO, ...input.blockIo } }),
      },
      cgroupsPath: cgroupPath(input),
      ...(devices.length === 0 ? {} : { devices }),
      ...(seccomp === undefined ? {} : { seccomp }),
      ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
      maskedPaths: privileged ? [] : (hostConfig.MaskedPaths ?? maskedPathsOf(host)),
      readonlyPaths: privileged ? [] : (hostConfig.ReadonlyPaths ?? defaultReadonlyPaths),
      ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
    },
  };
}

/** An init only helps where the container's first process is its namespace's. */
function runsInit({ Init, PidMode }: HostConfig): boolean {
  return Init === true && PidMode === '';
}

/** The cgroup of a container: `/gantry-INSTANCE/ID`. */
export function cgroupPath(input: Pick<SpecInput, 'id' | 'hostConfig' | 'cgroupParent'>): string {
  const parent = input.hostConfig.CgroupParent === '' ? input.cgroupParent : input.hostConfig.CgroupParent;
  return `${parent.startsWith('/') ? '' : '/'}${parent.replace(/\/+$/, '')}/${input.id}`;
}

function seccompOf(input: SpecInput, capabilities: readonly string[]): SeccompSpec | undefined {
  const { hostConfig, host, seccomp: profiles } = input;
  const wanted = securityOptions(hostConfig.SecurityOpt ?? []).seccomp;
  if (wanted === 'unconfined') return undefined;
  if (wanted !== undefined && wanted !== 'builtin') {
    assertSeccomp(host);
    return profiles.custom(wanted, capabilities);
  }
  if (!host.seccomp || (wanted === undefined && hostConfig.Privileged)) return undefined;
  return profiles.builtin(capabilities);
}

function sysctlsOf({ config, hostConfig, host }: SpecInput): Record<string, string> {
  return {
    ...(isPrivateNetwork(hostConfig.NetworkMode) ? host.networkSysctls : {}),
    ...(config.Domainname === '' || hostConfig.UTSMode === 'host'
      ? {}
      : { 'kernel.domainname': config.Domainname }),
    ...hostConfig.Sysctls,
  };
}
