import type { HostConfig } from '../../api/index.ts';
import { isCode, messageOf } from '../../errors/index.ts';
import type { HostFacts } from '../host-facts.ts';
import { defaultCapabilities, normalizeCapabilities } from '../spec/capabilities.ts';
import { parseDeviceRule } from '../spec/devices.ts';
import { assertSeccomp, parseProfile } from '../spec/seccomp.ts';
import { securityOptions } from '../spec/security-options.ts';
import { invalid } from './invalid.ts';

/** Sysctls that the ipc namespace has for itself; those of `fs.mqueue.` too. */
const ipcSysctls = new Set(
  'msgmax msgmnb msgmni sem shmall shmmax shmmni shm_rmid_forced'.split(' ').map((name) => `kernel.${name}`),
);

export function assertSecurity(hostConfig: HostConfig, host: HostFacts): void {
  assertCapabilities('CapAdd', hostConfig.CapAdd);
  assertCapabilities('CapDrop', hostConfig.CapDrop);
  assertAvailable(hostConfig, host);
  const { seccomp, labels, apparmor } = securityOptions(hostConfig.SecurityOpt ?? []);
  for (const label of labels) {
    if (label !== 'disable') throw invalid(`label=${label}: SELinux labels are not supported`);
  }
  if (apparmor !== undefined && !['', 'unconfined'].includes(apparmor) && !host.apparmor.enabled) {
    throw invalid(`apparmor=${apparmor}: AppArmor is not enabled on this host`);
  }
  if (seccomp !== undefined && seccomp !== 'unconfined' && seccomp !== 'builtin') {
    assertSeccomp(host);
    parseProfile(seccomp);
  }
  for (const rule of hostConfig.DeviceCgroupRules ?? []) parseDeviceRule(rule);
  for (const { CgroupPermissions: access } of hostConfig.Devices ?? []) {
    if (!/^[rwm]{0,3}$/.test(access ?? '')) throw invalid(`invalid device mode: ${access}`);
  }
  for (const name of Object.keys(hostConfig.Sysctls ?? {})) assertSysctl(name, hostConfig);
}

function assertCapabilities(field: 'CapAdd' | 'CapDrop', names: readonly string[] | null): void {
  try {
    normalizeCapabilities(names ?? []);
  } catch (error) {
    if (!isCode(error, 'invalidArgument')) throw error;
    throw invalid(`invalid ${field}: ${messageOf(error)}`);
  }
}

/** What the engine lacks itself it cannot give. */
function assertAvailable({ CapAdd, Privileged }: HostConfig, { capabilities }: HostFacts): void {
  if (Privileged) return;
  const lacking = normalizeCapabilities(CapAdd ?? []).find(
    (one) => one !== 'ALL' && !defaultCapabilities.includes(one) && !capabilities.includes(one),
  );
  if (lacking !== undefined) {
    throw invalid(
      `invalid CapAdd: capability not supported by your kernel or not available in the current environment: "${lacking}"`,
    );
  }
}

/** Only what a namespace of the container's own holds: anything else would change the host. */
function assertSysctl(given: string, { NetworkMode, IpcMode }: HostConfig): void {
  const name = given.replaceAll('/', '.');
  const quoted = JSON.stringify(given);
  if (ipcSysctls.has(name) || name.startsWith('fs.mqueue.')) {
    if (IpcMode === 'host') throw invalid(`sysctl ${quoted} is not allowed in the hosts ipc namespace`);
    return;
  }
  if (name.startsWith('net.')) {
    if (NetworkMode === 'host') throw invalid(`sysctl ${quoted} not allowed in host network namespace`);
    return;
  }
  if (name === 'kernel.domainname') return;
  throw invalid(`sysctl ${quoted} is not in a separate kernel namespace`);
}
