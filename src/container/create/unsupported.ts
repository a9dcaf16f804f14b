import type { HostConfig } from '../../api/index.ts';
import type { HostFacts } from '../host-facts.ts';

const weightDiscarded =
  'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.';
const swapUnlimited =
  'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.';

/** Leaves out the limits this host's kernel cannot set, with a warning for each. [moby daemon/daemon_unix.go] */
export function dropUnsupported(
  { KernelMemory = 0, KernelMemoryTCP = 0, ...given }: HostConfig,
  host: HostFacts,
): { readonly hostConfig: HostConfig; readonly warnings: string[] } {
  let hostConfig: HostConfig = given;
  const warnings: string[] = [];
  const drop = (warning: string, change: Partial<HostConfig>) => {
    warnings.push(warning);
    hostConfig = { ...hostConfig, ...change };
  };
  if (given.Memory > 0 && given.MemorySwap !== -1 && !host.swapLimit) {
    drop(swapUnlimited, { MemorySwap: -1 });
  }
  warnings.push(...kernelMemoryWarnings({ KernelMemory, KernelMemoryTCP }));
  if (given.MemorySwappiness !== null && !host.swappiness) {
    drop(
      'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
      { MemorySwappiness: null },
    );
  }
  if (given.OomKillDisable === true && !host.oomKillDisable) {
    drop('Your kernel does not support OomKillDisable. OomKillDisable discarded.', { OomKillDisable: null });
  }
  if (given.OomKillDisable === true && host.oomKillDisable && given.Memory === 0) {
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  }
  if (given.BlkioWeight > 0 && !host.blkioWeight) {
    drop(weightDiscarded, { BlkioWeight: 0 });
  }
  if ((given.BlkioWeightDevice?.length ?? 0) > 0 && !host.blkioWeightDevice) {
    drop(
      'Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.',
      { BlkioWeightDevice: [] },
    );
  }
  if (host.selinux) warnings.push(...(given.Binds ?? []).filter(isRelabelled).map(notRelabelled));
  if (given.NetworkMode === 'host' && Object.keys(given.PortBindings).length > 0) {
    warnings.push('Published ports are discarded when using host network mode');
  }
  return { hostConfig, warnings };
}

/** Whether what is bound is to get the label of the container (`Z`), or of all containers (`z`). */
function isRelabelled(bind: string): boolean {
  const modes = bind.split(':')[2]?.split(',') ?? [];
  return modes.includes('z') || modes.includes('Z');
}

function notRelabelled(bind: string): string {
  return `SELinux labels are not supported: what ${bind} binds keeps the label it has.`;
}

/** As `dropUnsupported`, of the limits that an update changes. */
export function dropUnsupportedChange(
  given: Partial<HostConfig>,
  host: Pick<HostFacts, 'blkioWeight' | 'swapLimit'>,
): { readonly change: Partial<HostConfig>; readonly warnings: string[] } {
  const { Memory = 0, MemorySwap, BlkioWeight = 0 } = given;
  const noSwap = Memory > 0 && MemorySwap !== -1 && !host.swapLimit;
  const noWeight = BlkioWeight > 0 && !host.blkioWeight;
  return {
    change: { ...given, ...(noSwap ? { MemorySwap: -1 } : {}), ...(noWeight ? { BlkioWeight: 0 } : {}) },
    warnings: [
      ...(noSwap ? [swapUnlimited] : []),
      ...kernelMemoryWarnings(given),
      ...(noWeight ? [weightDiscarded] : []),
    ],
  };
}

/** No kernel has these limits any more. */
function kernelMemoryWarnings({
  KernelMemory = 0,
  KernelMemoryTCP = 0,
}: Pick<HostConfig, 'KernelMemory' | 'KernelMemoryTCP'>): string[] {
  const limits = [
    [KernelMemory, 'kernel memory limit'],
    [KernelMemoryTCP, 'kernel memory TCP limit'],
  ] as const;
  return limits.flatMap(([limit, words]) =>
    limit <= 0
      ? []
      : [
          `Your kernel does not support ${words} capabilities or the cgroup is not mounted. Limitation discarded.`,
        ],
  );
}
