import type { ContainerCreateRequest, EndpointSettings, HostConfig } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import type { ContainerFlagValues } from './container-flags.ts';
import { resolveEnv } from './env-file.ts';
import { healthcheckOf } from './healthcheck.ts';
import { parseTmpfs, parseVolumes } from './mounts.ts';
import { endpointOf, type NetworkAttachment } from './network-option.ts';
import { parsePorts } from './ports.ts';
import {
  parseDevice,
  parseOptions,
  parsePairs,
  parseRestartPolicy,
  parseThrottle,
  parseWeightDevice,
} from './resources.ts';

/** What the command line of `run` or `create` says, with the files it names already read. */
export interface RunLine {
  readonly flags: ContainerFlagValues;
  readonly given: ReadonlySet<string>;
  readonly image: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The user's proxies, as variables. */
  readonly proxies: Readonly<Record<string, string>>;
  /** Entries of the `--env-file`s and `--label-file`s. */
  readonly envFiles: readonly string[];
  readonly labelFiles: readonly string[];
  /** Security options with profile files replaced by their content. */
  readonly securityOpts: readonly string[];
  readonly cwd: string;
  readonly detach: boolean;
}

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

/** The body of `POST /containers/create`. Throws `invalidArgument` with Docker's text for what does not fit together. */
export function createRequest(line: RunLine): ContainerCreateRequest {
  const { flags, given } = line;
  checkModes(flags);
  checkPossible(flags, given);
  const ports = parsePorts(flags.publish, flags.expose);
  const volumes = parseVolumes(flags.volume, line.cwd);
  const streams = attachedStreams(flags, line.detach);
  const hostConfig = hostConfigOf(line, volumes.binds, ports.bindings);
  const healthcheck = healthcheckOf(flags, given);
  if (given.has('mac-address') && !/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(flags['mac-address'])) {
    throw invalid(`${flags['mac-address']} is not a valid mac address`);
  }
  return {
    Hostname: flags.hostname,
    Domainname: flags.domainname,
    User: flags.user,
    AttachStdin: streams.stdin,
    AttachStdout: streams.stdout,
    AttachStderr: streams.stderr,
    ...(Object.keys(ports.exposed).length === 0 ? {} : { ExposedPorts: ports.exposed }),
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && streams.stdin,
    Env: unique([
      ...line.envFiles,
      ...resolveEnv(flags.env, line.environment),
      ...Object.entries(line.proxies).map(([name, value]) => `${name}=${value}`),
    ]),
    Cmd: line.args.length === 0 ? null : line.args,
    Image: line.image,
    Volumes: volumes.volumes,
    WorkingDir: flags.workdir,
    Entrypoint: given.has('entrypoint') ? (flags.entrypoint === '' ? [''] : [flags.entrypoint]) : null,
    Labels: { ...parsePairs(line.labelFiles), ...parsePairs(flags.label) },
    ...(given.has('stop-signal') ? { StopSignal: flags['stop-signal'] } : {}),
    ...(given.has('stop-timeout') ? { StopTimeout: flags['stop-timeout'] } : {}),
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
    HostConfig: hostConfig,
    NetworkingConfig: { EndpointsConfig: endpointsOf(flags) },
  };
}

/** The last value of a variable wins, at the place of the first. */
function unique(entries: readonly string[]): string[] {
  return [...new Map(entries.map((entry) => [entry.split('=', 1)[0], entry])).values()];
}

interface Streams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Which streams the client attaches: stdin with `-i`, and those of `-a`, else both outputs; none with `-d`. */
export function attachedStreams(
  flags: Pick<ContainerFlagValues, 'attach' | 'interactive'>,
  detach: boolean,
): Streams {
  if (detach) return { stdin: false, stdout: false, stderr: false };
  const names = flags.attach.length === 0 ? ['stdout', 'stderr'] : flags.attach;
  return {
    stdin: flags.interactive || names.includes('stdin'),
    stdout: names.includes('stdout'),
    stderr: names.includes('stderr'),
  };
}

function checkModes(flags: ContainerFlagValues): void {
  const container = (value: string) => /^container:.+$/.test(value);
  if (!['', 'host'].includes(flags.pid) && !container(flags.pid)) throw invalid('--pid: invalid PID mode');
  if (!['', 'host'].includes(flags.uts)) throw invalid('--uts: invalid UTS mode');
  if (!['', 'host'].includes(flags.userns)) throw invalid('--userns: invalid USER mode');
  if (!['', 'host', 'private'].includes(flags.cgroupns)) throw invalid('--cgroupns: invalid CGROUP mode');
  const swappiness = flags['memory-swappiness'];
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw invalid(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  }
  if (flags.gpus !== '') {
    throw invalid(
      'could not select device driver "" with capabilities: [[gpu]]: pass the devices with --device instead',
    );
  }
}

/** Flags of Docker's that mean nothing here. */
function checkPossible(flags: ContainerFlagValues, given: ReadonlySet<string>): void {
  for (const flag of ['cpu-count', 'cpu-percent', 'io-maxbandwidth', 'io-maxiops']) {
    if (!given.has(flag)) continue;
    throw invalid(
      `"--${flag}" is only supported on a Docker daemon running on windows, but the Docker daemon is running on linux`,
    );
  }
  if (flags['use-api-socket']) {
    throw invalid('--use-api-socket is not supported: pass the socket with --volume instead');
  }
}

function hostConfigOf(
  line: RunLine,
  binds: readonly string[],
  bindings: HostConfig['PortBindings'],
): Partial<HostConfig> {
  const { flags, given } = line;
  const restart = parseRestartPolicy(flags.restart);
  if (flags.rm && restart.Name !== 'no') {
    throw invalid('conflicting options: cannot specify both --restart and --rm');
  }
  const mode = flags.network[0]?.name;
  return {
    ...resourcesOf(flags),
    Binds: orNull(binds),
    ContainerIDFile: flags.cidfile,
    LogConfig: { Type: flags['log-driver'], Config: logOptions(flags) },
    NetworkMode: mode ?? 'default',
    PortBindings: bindings,
    RestartPolicy: restart,
    AutoRemove: flags.rm,
    VolumeDriver: flags['volume-driver'],
    VolumesFrom: orNull(flags['volumes-from']),
    ...(flags.mount.length === 0 ? {} : { Mounts: flags.mount }),
    ...(Object.keys(flags.annotation).length === 0 ? {} : { Annotations: flags.annotation }),
    CapAdd: orNull(flags['cap-add']),
    CapDrop: orNull(flags['cap-drop']),
    CgroupnsMode: flags.cgroupns as HostConfig['CgroupnsMode'],
    Dns: flags.dns,
    DnsOptions: flags['dns-option'],
    DnsSearch: flags['dns-search'],
    ExtraHosts: orNull(flags['add-host']),
    GroupAdd: orNull(flags['group-add']),
    IpcMode: flags.ipc,
    Links: orNull(mode === undefined || !isUserDefined(mode) ? flags.link : []),
    OomScoreAdj: flags['oom-score-adj'],
    PidMode: flags.pid,
    Privileged: flags.privileged,
    PublishAllPorts: flags['publish-all'],
    ReadonlyRootfs: flags['read-only'],
    ...systemPaths(line.securityOpts),
    StorageOpt: parseOptions(flags['storage-opt'], 'storage'),
    ...(flags.tmpfs.length === 0 ? {} : { Tmpfs: parseTmpfs(flags.tmpfs) }),
    UTSMode: flags.uts,
    UsernsMode: flags.userns,
    ShmSize: flags['shm-size'],
    Sysctls: flags.sysctl,
    Runtime: flags.runtime,
    Isolation: flags.isolation,
    ...(given.has('init') ? { Init: flags.init } : {}),
  };
}

function logOptions(flags: ContainerFlagValues): Record<string, string> {
  if (flags['log-driver'] === 'none' && flags['log-opt'].length > 0) {
    throw invalid(`invalid logging opts for driver ${flags['log-driver']}`);
  }
  return parseOptions(flags['log-opt'], 'log');
}

/** `systempaths=unconfined` is the client's word for no masked and no read-only paths. */
function systemPaths(options: readonly string[]): Partial<HostConfig> {
  const kept = options.filter((option) => option !== 'systempaths=unconfined');
  if (kept.length === options.length) return { SecurityOpt: orNull(options) };
  return { SecurityOpt: orNull(kept), MaskedPaths: [], ReadonlyPaths: [] };
}

function resourcesOf(flags: ContainerFlagValues): Partial<HostConfig> {
  return {
    CpuShares: flags['cpu-shares'],
    Memory: flags.memory,
    NanoCpus: flags.cpus,
    CgroupParent: flags['cgroup-parent'],
    BlkioWeight: flags['blkio-weight'],
    BlkioWeightDevice: flags['blkio-weight-device'].map(parseWeightDevice),
    BlkioDeviceReadBps: flags['device-read-bps'].map((one) => parseThrottle(one, { bytes: true })),
    BlkioDeviceWriteBps: flags['device-write-bps'].map((one) => parseThrottle(one, { bytes: true })),
    BlkioDeviceReadIOps: flags['device-read-iops'].map((one) => parseThrottle(one, { bytes: false })),
    BlkioDeviceWriteIOps: flags['device-write-iops'].map((one) => parseThrottle(one, { bytes: false })),
    CpuPeriod: flags['cpu-period'],
    CpuQuota: flags['cpu-quota'],
    CpuRealtimePeriod: flags['cpu-rt-period'],
    CpuRealtimeRuntime: flags['cpu-rt-runtime'],
    CpusetCpus: flags['cpuset-cpus'],
    CpusetMems: flags['cpuset-mems'],
    Devices: flags.device.map(parseDevice),
    DeviceCgroupRules: orNull(flags['device-cgroup-rule']),
    DeviceRequests: null,
    ...(flags['kernel-memory'] === 0 ? {} : { KernelMemory: flags['kernel-memory'] }),
    MemoryReservation: flags['memory-reservation'],
    MemorySwap: flags['memory-swap'],
    MemorySwappiness: flags['memory-swappiness'] === -1 ? null : flags['memory-swappiness'],
    OomKillDisable: flags['oom-kill-disable'],
    PidsLimit: flags['pids-limit'],
    Ulimits: flags.ulimit,
  };
}

function orNull(list: readonly string[]): readonly string[] | null {
  return list.length === 0 ? null : list;
}

function isUserDefined(network: string): boolean {
  return !['default', 'bridge', 'host', 'none'].includes(network) && !network.startsWith('container:');
}

/** Docker hands the plain `--ip`, `--network-alias` … to the first network. */
function endpointsOf(flags: ContainerFlagValues): Readonly<Record<string, Partial<EndpointSettings>>> {
  const plain = {
    ...(flags.ip === '' ? {} : { ip: flags.ip }),
    ...(flags.ip6 === '' ? {} : { ip6: flags.ip6 }),
    ...(flags['mac-address'] === '' ? {} : { macAddress: flags['mac-address'] }),
  };
  const isPlain =
    Object.keys(plain).length === 0 &&
    flags['network-alias'].length === 0 &&
    flags['link-local-ip'].length === 0;
  const [first, ...others] = flags.network;
  if (first === undefined && isPlain) return {};
  const main: NetworkAttachment = {
    ...(first ?? { name: 'default', aliases: [], linkLocalIps: [], driverOptions: {}, gatewayPriority: 0 }),
    ...plain,
  };
  const primary = {
    ...main,
    aliases: [...main.aliases, ...flags['network-alias']],
    linkLocalIps: [...main.linkLocalIps, ...flags['link-local-ip']],
  };
  const userDefined = isUserDefined(main.name);
  const names = flags.network.map(({ name }) => name);
  if (names.includes('')) throw invalid('no name set for network');
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw invalid(`network ${JSON.stringify(twice)} is specified multiple times`);
  const exclusive = names.some((name) => !isUserDefined(name) && !['bridge', 'default'].includes(name));
  if (exclusive && names.some(isUserDefined)) {
    throw invalid(`conflicting options: cannot attach both user-defined and non-user-defined network-modes`);
  }
  return Object.fromEntries([
    [primary.name, endpointOf(primary, userDefined ? flags.link : [])],
    ...others.map((other) => [other.name, endpointOf(other)] as const),
  ]);
}
