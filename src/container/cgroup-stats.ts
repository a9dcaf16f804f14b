/** Docker's statistics, read from the texts of one cgroup's files. Pure: a file that is not there is `undefined`. */
export type CgroupFiles = (controller: string, name: string) => string | undefined;

export interface BlkioEntry {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly value: number;
}

export interface CgroupStats {
  readonly cpu_usage: {
    /** Nanoseconds, as all usage. */
    readonly total_usage: number;
    readonly percpu_usage?: readonly number[];
    readonly usage_in_kernelmode: number;
    readonly usage_in_usermode: number;
  };
  readonly throttling_data: {
    readonly periods: number;
    readonly throttled_periods: number;
    readonly throttled_time: number;
  };
  readonly memory_stats: object;
  readonly pids_stats: { readonly current?: number; readonly limit?: number };
  readonly blkio_stats: Readonly<Record<string, readonly BlkioEntry[] | null>>;
}

const nanosecondsPerTick = 10_000_000;
const nanosecondsPerMicro = 1000;

export function cgroupStats(version: 1 | 2, read: CgroupFiles, memoryTotal: number): CgroupStats {
  return version === 2 ? unifiedStats(read, memoryTotal) : legacyStats(read, memoryTotal);
}

function legacyStats(read: CgroupFiles, memoryTotal: number): CgroupStats {
  const ticks = keyed(read('cpuacct', 'cpuacct.stat'));
  const throttling = keyed(read('cpu', 'cpu.stat'));
  const perCpu = (read('cpuacct', 'cpuacct.usage_percpu') ?? '')
    .trim()
    .split(/\s+/)
    .filter(Boolean)
    .map(Number);
  return {
    cpu_usage: {
      total_usage: numberIn(read('cpuacct', 'cpuacct.usage')) ?? 0,
      ...(perCpu.length === 0 ? {} : { percpu_usage: perCpu }),
      usage_in_kernelmode: (ticks['system'] ?? 0) * nanosecondsPerTick,
      usage_in_usermode: (ticks['user'] ?? 0) * nanosecondsPerTick,
    },
    throttling_data: {
      periods: throttling['nr_periods'] ?? 0,
      throttled_periods: throttling['nr_throttled'] ?? 0,
      throttled_time: throttling['throttled_time'] ?? 0,
    },
    memory_stats: memoryStats({
      usage: numberIn(read('memory', 'memory.usage_in_bytes')),
      max_usage: numberIn(read('memory', 'memory.max_usage_in_bytes')),
      failcnt: numberIn(read('memory', 'memory.failcnt')),
      limit: numberIn(read('memory', 'memory.limit_in_bytes')),
      stats: keyed(read('memory', 'memory.stat')),
      memoryTotal,
    }),
    pids_stats: pidsStats(read('pids', 'pids.current'), read('pids', 'pids.max')),
    blkio_stats: blkioStats(
      legacyBlkio(read('blkio', 'blkio.throttle.io_service_bytes_recursive')),
      legacyBlkio(read('blkio', 'blkio.throttle.io_serviced_recursive')),
    ),
  };
}

function unifiedStats(read: CgroupFiles, memoryTotal: number): CgroupStats {
  const cpu = keyed(read('unified', 'cpu.stat'));
  const nano = (key: string) => (cpu[key] ?? 0) * nanosecondsPerMicro;
  const io = read('unified', 'io.stat');
  return {
    cpu_usage: {
      total_usage: nano('usage_usec'),
      usage_in_kernelmode: nano('system_usec'),
      usage_in_usermode: nano('user_usec'),
    },
    throttling_data: {
      periods: cpu['nr_periods'] ?? 0,
      throttled_periods: cpu['nr_throttled'] ?? 0,
      throttled_time: nano('throttled_usec'),
    },
    memory_stats: memoryStats({
      usage: numberIn(read('unified', 'memory.current')),
      limit: numberIn(read('unified', 'memory.max')),
      stats: keyed(read('unified', 'memory.stat')),
      memoryTotal,
    }),
    pids_stats: pidsStats(read('unified', 'pids.current'), read('unified', 'pids.max')),
    blkio_stats: blkioStats(
      unifiedBlkio(io, { read: 'rbytes', write: 'wbytes' }),
      unifiedBlkio(io, { read: 'rios', write: 'wios' }),
    ),
  };
}

interface MemoryFiles {
  readonly usage: number | undefined;
  readonly max_usage?: number | undefined;
  readonly failcnt?: number | undefined;
  readonly limit: number | undefined;
  readonly stats: Readonly<Record<string, number>>;
  readonly memoryTotal: number;
}

/** No limit is the host's memory, as clients divide by it. */
function memoryStats(files: MemoryFiles): object {
  const { usage, max_usage, failcnt, limit, stats, memoryTotal } = files;
  if (usage === undefined) return {};
  return {
    usage,
    ...(max_usage === undefined ? {} : { max_usage }),
    stats,
    ...(failcnt === undefined || failcnt === 0 ? {} : { failcnt }),
    limit: limit === undefined ? memoryTotal : Math.min(limit, memoryTotal),
  };
}

function pidsStats(current: string | undefined, limit: string | undefined): CgroupStats['pids_stats'] {
  const [count, most] = [numberIn(current), numberIn(limit)];
  return {
    ...(count === undefined ? {} : { current: count }),
    ...(most === undefined ? {} : { limit: most }),
  };
}

function blkioStats(bytes: BlkioEntry[] | null, operations: BlkioEntry[] | null): CgroupStats['blkio_stats'] {
  return {
    io_service_bytes_recursive: bytes,
    io_serviced_recursive: operations,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
}

/** Lines `8:0 Read 4096`; the one with the total of all is left out. */
function legacyBlkio(text: string | undefined): BlkioEntry[] | null {
  if (text === undefined) return null;
  return text.split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    if (match === null) return [];
    const [, major, minor, op = '', value] = match;
    return [{ major: Number(major), minor: Number(minor), op: op.toLowerCase(), value: Number(value) }];
  });
}

/** Lines `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`. */
function unifiedBlkio(
  text: string | undefined,
  keys: { readonly read: string; readonly write: string },
): BlkioEntry[] | null {
  if (text === undefined) return null;
  return text.split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+) (.*)$/.exec(line);
    if (match === null) return [];
    const device = { major: Number(match[1]), minor: Number(match[2]) };
    const values = new Map((match[3] ?? '').split(' ').map((pair) => pairOf(pair)));
    return Object.entries(keys).map(([op, key]) => ({ ...device, op, value: values.get(key) ?? 0 }));
  });
}

function pairOf(text: string): [string, number] {
  const [key = '', value] = text.split('=', 2);
  return [key, Number(value ?? 0)];
}

export interface NetworkStats {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly rx_errors: number;
  readonly rx_dropped: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
  readonly tx_errors: number;
  readonly tx_dropped: number;
}

/** Reads /proc/PID/net/dev; every interface but loopback. */
export function networkStats(text: string): Record<string, NetworkStats> {
  const stats: Record<string, NetworkStats> = {};
  for (const line of text.split('\n').slice(2)) {
    const [name = '', rest = ''] = line.split(/:(.*)/s).map((part) => part.trim());
    if (name === '' || name === 'lo') continue;
    const values = rest.split(/\s+/).map(Number);
    const at = (index: number) => values[index] ?? 0;
    stats[name] = {
      rx_bytes: at(0),
      rx_packets: at(1),
      rx_errors: at(2),
      rx_dropped: at(3),
      tx_bytes: at(8),
      tx_packets: at(9),
      tx_errors: at(10),
      tx_dropped: at(11),
    };
  }
  return stats;
}

/** Nanoseconds of all CPUs together, idle time included, from /proc/stat. */
export function systemCpuUsage(text: string): number {
  const [, ...ticks] = (/^cpu .*$/m.exec(text)?.[0] ?? '').split(/\s+/);
  return ticks.slice(0, 7).reduce((sum, tick) => sum + Number(tick), 0) * nanosecondsPerTick;
}

/** The values of a file of lines `key number`. */
function keyed(text: string | undefined): Record<string, number> {
  return Object.fromEntries(
    (text ?? '')
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([key = '', value = '']) => key !== '' && /^\d+$/.test(value))
      .map(([key = '', value]) => [key, Number(value)]),
  );
}

/** `undefined` for a missing file and for `max`. */
function numberIn(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? '';
  return /^\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}
