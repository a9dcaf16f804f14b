import { EngineError } from '../../errors/index.ts';

/** Every capability of Linux, by its number. */
export const allCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
];

/** What a container has unless told otherwise, in Docker's order. */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

const all = 'ALL';
const known = new Set(allCapabilities);

/**
 * `net_admin`, `CAP_NET_ADMIN` and `NET_ADMIN` all become `CAP_NET_ADMIN`; `all` becomes `ALL`. Sorted, each once.
 * An unknown name is `invalidArgument`.
 */
export function normalizeCapabilities(names: readonly string[]): string[] {
  const normal = names.map((name) => {
    const upper = name.toUpperCase();
    if (upper === all) return all;
    const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
    if (!known.has(full)) {
      throw new EngineError('invalidArgument', `unknown capability: ${JSON.stringify(full)}`);
    }
    return full;
  });
  return [...new Set(normal)].sort();
}

export interface CapabilityRequest {
  readonly privileged: boolean;
  readonly add: readonly string[];
  readonly drop: readonly string[];
  /** Those the host can give; "all" means these. */
  readonly available: readonly string[];
}

/** The capabilities a container gets. [moby daemon/pkg/oci/caps] */
export function capabilitiesOf(request: CapabilityRequest): readonly string[] {
  const { privileged, available } = request;
  if (privileged) return available;
  const add = normalizeCapabilities(request.add);
  const drop = normalizeCapabilities(request.drop);
  if (add.length === 0 && drop.length === 0) return defaultCapabilities;
  if (add.includes(all)) return available.filter((one) => !drop.includes(one));
  if (drop.includes(all)) return add;
  return [
    ...defaultCapabilities.filter((one) => !drop.includes(one)),
    ...add.filter((one) => !defaultCapabilities.includes(one)),
  ];
}

/** The names in a mask as /proc/PID/status shows it: `000001ffffffffff`. */
export function capabilitiesInMask(hex: string): string[] {
  const mask = BigInt(`0x${hex}`);
  return allCapabilities.filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n);
}
