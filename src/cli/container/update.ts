import type { HostConfig, ReconfigureRequest, ReconfigureResponse } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { type Context, defineCommand } from '../command.ts';
import { forEach } from '../each.ts';
import { bytes, swapBytes } from '../flag-kinds.ts';
import { bool, int, list, parsed, text, type ValuesOf } from '../flags.ts';
import { renderListing } from '../output/listing.ts';
import { containerFlags } from '../run/container-flags.ts';
import { resolveEnv } from '../run/env-file.ts';
import { parseVolumes } from '../run/mounts.ts';
import { parsePorts } from '../run/ports.ts';
import { readEnvFiles, readLabelFiles } from '../run/read-files.ts';
import { parsePairs, parseRestartPolicy } from '../run/resources.ts';
import { parseCpus } from '../sizes.ts';

/** What Docker's update has: limits, and the restart policy. */
const limitFlags = {
  'blkio-weight': int('Block IO (relative weight), between 10 and 1000, or 0 to disable', {
    kind: 'uint16',
  }),
  'cpu-period': int('Limit CPU CFS (Completely Fair Scheduler) period'),
  'cpu-quota': int('Limit CPU CFS (Completely Fair Scheduler) quota'),
  'cpu-rt-period': int('Limit the CPU real-time period in microseconds'),
  'cpu-rt-runtime': int('Limit the CPU real-time runtime in microseconds'),
  'cpu-shares': int('CPU shares (relative weight)', { short: 'c' }),
  cpus: parsed('decimal', 'Number of CPUs', { initial: 0, read: parseCpus }),
  'cpuset-cpus': text('CPUs in which to allow execution (0-3, 0,1)'),
  'cpuset-mems': text('MEMs in which to allow execution (0-3, 0,1)'),
  'kernel-memory': bytes('Kernel memory limit (deprecated)', { hidden: true }),
  memory: bytes('Memory limit', { short: 'm' }),
  'memory-reservation': bytes('Memory soft limit'),
  'memory-swap': swapBytes('Swap limit equal to memory plus swap: -1 to enable unlimited swap'),
  'pids-limit': int('Tune container pids limit (set -1 for unlimited)'),
  restart: text('Restart policy to apply when a container exits'),
};

/** Ours: what a container was created with. */
const settingFlags = {
  env: containerFlags.env,
  'env-file': containerFlags['env-file'],
  'env-rm': list('Remove an environment variable'),
  label: containerFlags.label,
  'label-file': containerFlags['label-file'],
  'label-rm': list('Remove a label'),
  mount: containerFlags.mount,
  'mount-rm': list('Remove what is mounted at a path in the container'),
  publish: containerFlags.publish,
  'publish-rm': list('No longer publish a port of the container (80, 8000-8010, 53/udp)'),
  volume: containerFlags.volume,
};

const flags = {
  ...limitFlags,
  ...settingFlags,
  'dry-run': bool('Only show what would change of ports, environment, mounts and labels'),
  timeout: int('Seconds to wait before killing a container that has to start again', { short: 't' }),
};

type Values = ValuesOf<typeof flags>;

export const updateCommand = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Update configuration of one or more containers',
  details:
    'Limits, the restart policy, ports and labels change while a container runs. For other variables or mounts it is stopped\n' +
    'and started again, with its files, name, addresses and volumes; if it does not start, it runs again as it was.\n' +
    'What a flag names (a variable, a label, a port or a path of the container) is replaced or removed, all else stays.',
  aliases: ['container update', 'update'],
  minArgs: 1,
  flags,
  async run({ context, values, given, args }) {
    const has = (table: object) => Object.keys(table).some((name) => given.has(name));
    const [hasLimits, hasSettings] = [has(limitFlags), has(settingFlags)];
    if (!hasLimits && !hasSettings) {
      throw new EngineError('invalidArgument', 'you must provide one or more flags when using this command');
    }
    if (values['dry-run'] && hasLimits) {
      throw new EngineError('invalidArgument', '--dry-run cannot be used with limits or a restart policy');
    }
    const limits = limitsOf(values, given);
    const settings = await settingsOf(values, context);
    const { containers } = await context.client();
    const options = {
      dryRun: values['dry-run'],
      ...(given.has('timeout') ? { timeoutSeconds: values.timeout } : {}),
    };
    return forEach(context, args, async (name) => {
      const warnings: string[] = [];
      if (hasSettings) {
        const answer = await containers.reconfigure(name, settings, options);
        warnings.push(...answer.Warnings);
        if (values['dry-run']) return dryRunText(name, answer);
      }
      if (hasLimits) warnings.push(...((await containers.update(name, limits)).Warnings ?? []));
      for (const warning of warnings) context.stderr.write(`${warning}\n`);
      return name;
    });
  },
});

function limitsOf(values: Values, given: ReadonlySet<string>): Partial<HostConfig> {
  return {
    BlkioWeight: values['blkio-weight'],
    CpuPeriod: values['cpu-period'],
    CpuQuota: values['cpu-quota'],
    CpuRealtimePeriod: values['cpu-rt-period'],
    CpuRealtimeRuntime: values['cpu-rt-runtime'],
    CpuShares: values['cpu-shares'],
    NanoCpus: values.cpus,
    CpusetCpus: values['cpuset-cpus'],
    CpusetMems: values['cpuset-mems'],
    ...(values['kernel-memory'] === 0 ? {} : { KernelMemory: values['kernel-memory'] }),
    Memory: values.memory,
    MemoryReservation: values['memory-reservation'],
    MemorySwap: values['memory-swap'],
    ...(given.has('pids-limit') ? { PidsLimit: values['pids-limit'] } : {}),
    ...(given.has('restart') ? { RestartPolicy: parseRestartPolicy(values.restart) } : {}),
  };
}

/** Each flag as `run` reads it. */
async function settingsOf(values: Values, { config }: Context): Promise<ReconfigureRequest> {
  const environment = config.environment;
  const [envFiles, labelFiles] = await Promise.all([
    readEnvFiles(values['env-file'], environment),
    readLabelFiles(values['label-file']),
  ]);
  const volumes = parseVolumes(values.volume);
  return {
    Env: [...envFiles, ...resolveEnv(values.env, environment)],
    Labels: { ...parsePairs(labelFiles), ...parsePairs(values.label) },
    PortBindings: parsePorts(values.publish).bindings,
    Binds: volumes.binds,
    Mounts: values.mount,
    Volumes: volumes.volumes,
    Remove: {
      Env: values['env-rm'],
      Labels: values['label-rm'],
      Ports: Object.keys(parsePorts([], values['publish-rm']).exposed),
      Mounts: values['mount-rm'],
    },
  };
}

function dryRunText(name: string, { Changes, Restarted }: ReconfigureResponse): string {
  if (Changes.length === 0) return `${name}: nothing to change`;
  const listing = {
    headings: { Kind: 'KIND', Name: 'NAME', Old: 'OLD', New: 'NEW' },
    table: '{{.Kind}}\t{{.Name}}\t{{.Old}}\t{{.New}}',
    rows: Changes.map((change) => ({ ...change, Old: change.Old ?? '-', New: change.New ?? '-' })),
  };
  const how = Restarted ? 'would be stopped and started again' : 'would be changed as it is';
  return `${name}: ${how}\n${renderListing(listing, '').trimEnd()}`;
}
