import type { MountSpec } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { bytes, checkedList, contentTrust, duration, map, swapBytes } from '../flag-kinds.ts';
import { bool, int, list, parsed, text, type ValuesOf } from '../flags.ts';
import { platformFlag } from '../platform.ts';
import { parseCpus } from '../sizes.ts';
import { envFlag } from './env-flag.ts';
import { parseMount } from './mounts.ts';
import { type NetworkAttachment, parseNetwork } from './network-option.ts';
import { parseAddress, parseExtraHost, parseThrottle, parseWeightDevice, ulimits } from './resources.ts';

function checkLink(text: string): string {
  if (text === '' || text.split(':').length > 2) {
    throw new EngineError('invalidArgument', `bad format for links: ${text}`);
  }
  return text;
}

/** Only checks; the text is read again when the whole line is known. */
function checkedBy(read: (text: string) => unknown): (text: string) => string {
  return (text) => {
    read(text);
    return text;
  };
}

function throttle(usage: string, options: { readonly bytes: boolean }) {
  return checkedList('list', usage, {
    shownDefault: '[]',
    check: checkedBy((text) => parseThrottle(text, options)),
  });
}

function checkStream(name: string): string {
  if (['stdin', 'stdout', 'stderr'].includes(name.toLowerCase())) return name.toLowerCase();
  throw new EngineError('invalidArgument', 'valid streams are STDIN, STDOUT and STDERR');
}

/** `.` means no search domains. */
function checkDomain(text: string): string {
  const domain = text.trim();
  if (domain === '.') return domain;
  const label = '[a-z0-9]([a-z0-9-]*[a-z0-9])?';
  const valid = new RegExp(`^${label}([.-_]${label})*\\.?$`, 'i').test(domain) && domain.length < 255;
  if (!valid || !/[a-z]/i.test(domain)) {
    throw new EngineError('invalidArgument', `${domain} is not a valid domain`);
  }
  return domain;
}

function checkLabel(text: string): string {
  if (text === '' || text.startsWith('=')) {
    throw new EngineError('invalidArgument', `invalid label '${text}': empty name`);
  }
  return text;
}

const sysctlNames = new Set(
  'msgmax msgmnb msgmni sem shmall shmmax shmmni shm_rmid_forced'.split(' ').map((name) => `kernel.${name}`),
);

function checkSysctl(pair: string): void {
  const [name = '', value] = pair.split('=');
  const allowed = sysctlNames.has(name) || /^(net|fs\.mqueue)\./.test(name);
  if (!allowed || value === undefined) {
    throw new EngineError('invalidArgument', `sysctl '${pair}' is not allowed`);
  }
}

function checkCgroupRule(rule: string): string {
  if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(rule)) {
    throw new EngineError('invalidArgument', `invalid device cgroup format '${rule}'`);
  }
  return rule;
}

/** The flags `run` and `create` share. */
export const containerFlags = {
  'add-host': checkedList('list', 'Add a custom host-to-IP mapping (host:ip)', { check: parseExtraHost }),
  annotation: map('Add an annotation to the container (passed through to the OCI runtime)'),
  attach: checkedList('list', 'Attach to STDIN, STDOUT or STDERR', { short: 'a', check: checkStream }),
  'blkio-weight': int('Block IO (relative weight), between 10 and 1000, or 0 to disable', {
    kind: 'uint16',
    shownDefault: '0',
  }),
  'blkio-weight-device': checkedList('list', 'Block IO weight (relative device weight)', {
    shownDefault: '[]',
    check: checkedBy(parseWeightDevice),
  }),
  'cap-add': list('Add Linux capabilities'),
  'cap-drop': list('Drop Linux capabilities'),
  'cgroup-parent': text('Optional parent cgroup for the container'),
  cgroupns: text(`Cgroup namespace to use (host|private)
'host':    Run the container in the Docker host's cgroup namespace
'private': Run the container in its own private cgroup namespace
'':        'private' on cgroup v2, else 'host' (default)`),
  cidfile: text('Write the container ID to the file'),
  'cpu-count': int('CPU count (Windows only)'),
  'cpu-percent': int('CPU percent (Windows only)'),
  'cpu-period': int('Limit CPU CFS (Completely Fair Scheduler) period'),
  'cpu-quota': int('Limit CPU CFS (Completely Fair Scheduler) quota'),
  'cpu-rt-period': int('Limit CPU real-time period in microseconds'),
  'cpu-rt-runtime': int('Limit CPU real-time runtime in microseconds'),
  'cpu-shares': int('CPU shares (relative weight)', { short: 'c' }),
  cpus: parsed('decimal', 'Number of CPUs', { initial: 0, read: parseCpus }),
  'cpuset-cpus': text('CPUs in which to allow execution (0-3, 0,1)'),
  'cpuset-mems': text('MEMs in which to allow execution (0-3, 0,1)'),
  device: list('Add a host device to the container'),
  'device-cgroup-rule': checkedList('list', 'Add a rule to the cgroup allowed devices list', {
    check: checkCgroupRule,
  }),
  'device-read-bps': throttle('Limit read rate (bytes per second) from a device', { bytes: true }),
  'device-read-iops': throttle('Limit read rate (IO per second) from a device', { bytes: false }),
  'device-write-bps': throttle('Limit write rate (bytes per second) to a device', { bytes: true }),
  'device-write-iops': throttle('Limit write rate (IO per second) to a device', { bytes: false }),
  'disable-content-trust': contentTrust('Skip image verification'),
  dns: checkedList('list', 'Set custom DNS servers', { check: parseAddress }),
  'dns-option': list('Set DNS options', { aliases: ['dns-opt'] }),
  'dns-search': checkedList('list', 'Set custom DNS search domains', { check: checkDomain }),
  domainname: text('Container NIS domain name'),
  entrypoint: text('Overwrite the default ENTRYPOINT of the image'),
  env: envFlag,
  'env-file': list('Read in a file of environment variables'),
  expose: list('Expose a port or a range of ports'),
  gpus: text("GPU devices to add to the container ('all' to pass all GPUs)", { kind: 'gpu-request' }),
  'group-add': list('Add additional groups to join'),
  'health-cmd': text('Command to run to check health'),
  'health-interval': duration('Time between running the check (ms|s|m|h)'),
  'health-retries': int('Consecutive failures needed to report unhealthy'),
  'health-start-interval': duration('Time between running the check during the start period (ms|s|m|h)'),
  'health-start-period': duration(
    'Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)',
  ),
  'health-timeout': duration('Maximum time to allow one check to run (ms|s|m|h)'),
  hostname: text('Container host name', { short: 'h' }),
  init: bool('Run an init inside the container that forwards signals and reaps processes'),
  interactive: bool('Keep STDIN open even if not attached', { short: 'i' }),
  'io-maxbandwidth': bytes('Maximum IO bandwidth limit for the system drive (Windows only)'),
  'io-maxiops': text('Maximum IOps limit for the system drive (Windows only)', { kind: 'uint' }),
  ip: text('IPv4 address (e.g., 172.30.100.104)'),
  ip6: text('IPv6 address (e.g., 2001:db8::33)'),
  ipc: text('IPC mode to use'),
  isolation: text('Container isolation technology'),
  'kernel-memory': bytes('Kernel memory limit'),
  label: checkedList('list', 'Set meta data on a container', { short: 'l', check: checkLabel }),
  'label-file': list('Read in a line delimited file of labels'),
  link: checkedList('list', 'Add link to another container', { check: checkLink }),
  'link-local-ip': list('Container IPv4/IPv6 link-local addresses'),
  'log-driver': text('Logging driver for the container'),
  'log-opt': list('Log driver options'),
  'mac-address': text('Container MAC address (e.g., 92:d0:c6:0a:29:33)'),
  memory: bytes('Memory limit', { short: 'm' }),
  'memory-reservation': bytes('Memory soft limit'),
  'memory-swap': swapBytes("Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
  'memory-swappiness': int('Tune container memory swappiness (0 to 100)', { initial: -1 }),
  mount: parsed('mount', 'Attach a filesystem mount to the container', {
    initial: [] as readonly MountSpec[],
    read: (one: string, previous: readonly MountSpec[]) => [...previous, parseMount(one)],
  }),
  name: text('Assign a name to the container'),
  network: parsed('network', 'Connect a container to a network', {
    aliases: ['net'],
    initial: [] as readonly NetworkAttachment[],
    read: (one: string, previous: readonly NetworkAttachment[]) => [...previous, parseNetwork(one)],
  }),
  'network-alias': list('Add network-scoped alias for the container', { aliases: ['net-alias'] }),
  'no-healthcheck': bool('Disable any container-specified HEALTHCHECK'),
  'oom-kill-disable': bool('Disable OOM Killer'),
  'oom-score-adj': int("Tune host's OOM preferences (-1000 to 1000)"),
  pid: text('PID namespace to use'),
  'pids-limit': int('Tune container pids limit (set -1 for unlimited)'),
  platform: platformFlag,
  privileged: bool('Give extended privileges to this container'),
  publish: list("Publish a container's port(s) to the host", { short: 'p' }),
  'publish-all': bool('Publish all exposed ports to random ports', { short: 'P' }),
  quiet: bool('Suppress the pull output', { short: 'q' }),
  'read-only': bool("Mount the container's root filesystem as read only"),
  restart: text('Restart policy to apply when a container exits', { initial: 'no' }),
  rm: bool('Automatically remove the container and its associated anonymous volumes when it exits'),
  runtime: text('Runtime to use for this container'),
  'security-opt': list('Security Options'),
  'shm-size': bytes('Size of /dev/shm'),
  'stop-signal': text('Signal to stop the container'),
  'stop-timeout': int('Timeout (in seconds) to stop a container'),
  'storage-opt': list('Storage driver options for the container'),
  sysctl: map('Sysctl options', { check: checkSysctl }),
  tmpfs: list('Mount a tmpfs directory'),
  tty: bool('Allocate a pseudo-TTY', { short: 't' }),
  ulimit: ulimits(),
  'use-api-socket': bool('Bind mount Docker API socket and required auth'),
  user: text('Username or UID (format: <name|uid>[:<group|gid>])', { short: 'u' }),
  userns: text('User namespace to use'),
  uts: text('UTS namespace to use'),
  volume: list('Bind mount a volume', { short: 'v' }),
  'volume-driver': text('Optional volume driver for the container'),
  'volumes-from': list('Mount volumes from the specified container(s)'),
  workdir: text('Working directory inside the container', { short: 'w' }),
};

export type ContainerFlagValues = ValuesOf<typeof containerFlags>;
