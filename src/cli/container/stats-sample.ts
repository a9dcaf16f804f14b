/** What a line of `stats` tells; sizes in bytes. */
export interface StatsSample {
  readonly cpuPercent: number;
  readonly memory: number;
  readonly memoryLimit: number;
  readonly memoryPercent: number;
  readonly networkIn: number;
  readonly networkOut: number;
  readonly blockIn: number;
  readonly blockOut: number;
  readonly pids: number;
}

/** Reads Docker's stats object: CPU since the sample before, memory without inactive page cache. */
export function sampleOf(raw: unknown): StatsSample {
  const memory = Math.max(0, numberAt(raw, 'memory_stats', 'usage') - inactiveFile(raw));
  const memoryLimit = numberAt(raw, 'memory_stats', 'limit');
  const networks = Object.values(objectAt(raw, 'networks'));
  const blocks = arrayAt(raw, 'blkio_stats', 'io_service_bytes_recursive');
  const blockSum = (operation: string) =>
    blocks
      .filter((one) => String(valueAt(one, 'op')).toLowerCase() === operation)
      .reduce((sum: number, one) => sum + numberAt(one, 'value'), 0);
  return {
    cpuPercent: cpuPercent(raw),
    memory,
    memoryLimit,
    memoryPercent: memoryLimit === 0 ? 0 : (memory / memoryLimit) * 100,
    networkIn: networks.reduce((sum: number, one) => sum + numberAt(one, 'rx_bytes'), 0),
    networkOut: networks.reduce((sum: number, one) => sum + numberAt(one, 'tx_bytes'), 0),
    blockIn: blockSum('read'),
    blockOut: blockSum('write'),
    pids: numberAt(raw, 'pids_stats', 'current'),
  };
}

function cpuPercent(raw: unknown): number {
  const used =
    numberAt(raw, 'cpu_stats', 'cpu_usage', 'total_usage') -
    numberAt(raw, 'precpu_stats', 'cpu_usage', 'total_usage');
  const system =
    numberAt(raw, 'cpu_stats', 'system_cpu_usage') - numberAt(raw, 'precpu_stats', 'system_cpu_usage');
  const cpus =
    numberAt(raw, 'cpu_stats', 'online_cpus') ||
    arrayAt(raw, 'cpu_stats', 'cpu_usage', 'percpu_usage').length ||
    1;
  return system > 0 && used > 0 ? (used / system) * cpus * 100 : 0;
}

/** cgroup v1 calls it total_inactive_file, v2 inactive_file. */
function inactiveFile(raw: unknown): number {
  return (
    numberAt(raw, 'memory_stats', 'stats', 'total_inactive_file') ||
    numberAt(raw, 'memory_stats', 'stats', 'inactive_file')
  );
}

function valueAt(from: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null
        ? (value as Readonly<Record<string, unknown>>)[key]
        : undefined,
    from,
  );
}

function numberAt(from: unknown, ...path: readonly string[]): number {
  const value = valueAt(from, ...path);
  return typeof value === 'number' ? value : 0;
}

function objectAt(from: unknown, ...path: readonly string[]): object {
  const value = valueAt(from, ...path);
  return typeof value === 'object' && value !== null ? value : {};
}

function arrayAt(from: unknown, ...path: readonly string[]): readonly unknown[] {
  const value = valueAt(from, ...path);
  return Array.isArray(value) ? value : [];
}
