import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hasErrno } from '../errors/index.ts';
import { run } from '../lib/run.ts';

/** AppArmor profile of a container that names none: Docker's name, so that both engines share one. */
export const defaultAppArmorProfile = 'docker-default';

export interface AppArmorFacts {
  /** The kernel confines with AppArmor, and its interface is mounted here. */
  readonly enabled: boolean;
  readonly defaultProfileLoaded: boolean;
}

const interfaceDirectory = '/sys/kernel/security/apparmor';

export async function probeAppArmor(): Promise<AppArmorFacts> {
  const enabled =
    existsSync(interfaceDirectory) &&
    (await readOr('/sys/module/apparmor/parameters/enabled', 'N'))[0] === 'Y';
  const profiles = enabled ? await readOr(`${interfaceDirectory}/profiles`, '') : '';
  return {
    enabled,
    defaultProfileLoaded: profiles.split('\n').some((line) => line.startsWith(`${defaultAppArmorProfile} `)),
  };
}

/**
 * Loads the default profile where the host has AppArmor and nobody loaded it yet. Rejects with `unavailable` when
 * apparmor_parser is not installed, `internal` with its words when it refuses; containers then run unconfined.
 */
export async function loadDefaultProfile(): Promise<void> {
  const { enabled, defaultProfileLoaded } = await probeAppArmor();
  if (!enabled || defaultProfileLoaded) return;
  const own = (await readOr('/proc/self/attr/current', 'unconfined')).replace(/ \(.*/s, '').trim();
  await run('apparmor_parser', ['-Kr'], { input: defaultProfile(own) });
}

/**
 * The profile's text: files, capabilities and networks are free, as mounts, capability sets and seccomp limit them
 * already; mounting and writing to the kernel's files are not. What is denied stays denied whatever allows it, so
 * that "all but" takes patterns of the names that differ in one of their first letters.
 *
 * @param daemon profile of the engine itself, which must reach its containers with signals
 */
export function defaultProfile(daemon: string): string {
  const peers = ['unconfined', 'runc', 'crun', daemon].map((name) => `  signal (receive) peer="${name}",`);
  return `# Written by Gantry; loaded when missing.
profile ${defaultAppArmorProfile} flags=(attach_disconnected,mediate_deleted) {
  network,
  deny network alg,
  capability,
  file,
  umount,
  deny mount,

${Array.from(new Set(peers)).join('\n')}
  signal (send, receive) peer=${defaultAppArmorProfile},
  ptrace (trace, read, tracedby, readby) peer=${defaultAppArmorProfile},
  ptrace (tracedby, readby),

  # /proc: only the directories of processes and the limits of shared memory.
  deny /proc/* w,
  deny /proc/{[^0-9s],s[^y],sy[^s],sys?}*/** w,
  deny /proc/sys/{[^k],k[^e]}** w,
  deny /proc/sys/kernel/{[^s],s[^h],sh[^m]}** w,
  deny /proc/{sysrq-trigger,kcore} rwklx,

  # /sys: only control groups.
  deny /sys/{[^f],f[^s]}*/** wklx,
  deny /sys/fs/{[^c],c[^g],cg[^r]}*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
`;
}

async function readOr(path: string, otherwise: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EINVAL'].some((errno) => hasErrno(error, errno))) return otherwise;
    throw error;
  }
}
