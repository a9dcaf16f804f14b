/** Where a flag of `run` goes in a service of the Compose specification. */
export type ComposeWord =
  | { readonly kind: 'text' | 'number' | 'bool' | 'list' | 'seconds'; readonly path: readonly string[] }
  /** Meant by Compose itself. */
  | { readonly kind: 'implied' };

const implied = { kind: 'implied' } as const;
const text = (...path: string[]): ComposeWord => ({ kind: 'text', path });
const number = (...path: string[]): ComposeWord => ({ kind: 'number', path });
const bool = (...path: string[]): ComposeWord => ({ kind: 'bool', path });
const list = (...path: string[]): ComposeWord => ({ kind: 'list', path });

/** Flags whose value is copied. What is neither here nor has a rule of its own in `as-compose.ts` Compose cannot say. */
export const composeWords: Readonly<Record<string, ComposeWord>> = {
  'add-host': list('extra_hosts'),
  'blkio-weight': number('blkio_config', 'weight'),
  'cap-add': list('cap_add'),
  'cap-drop': list('cap_drop'),
  'cgroup-parent': text('cgroup_parent'),
  cgroupns: text('cgroup'),
  'cpu-period': number('cpu_period'),
  'cpu-quota': number('cpu_quota'),
  'cpu-rt-period': number('cpu_rt_period'),
  'cpu-rt-runtime': number('cpu_rt_runtime'),
  'cpu-shares': number('cpu_shares'),
  cpus: number('cpus'),
  'cpuset-cpus': text('cpuset'),
  detach: implied,
  device: list('devices'),
  'device-cgroup-rule': list('device_cgroup_rules'),
  dns: list('dns'),
  'dns-option': list('dns_opt'),
  'dns-search': list('dns_search'),
  domainname: text('domainname'),
  env: list('environment'),
  expose: list('expose'),
  'group-add': list('group_add'),
  'health-cmd': text('healthcheck', 'test'),
  'health-interval': text('healthcheck', 'interval'),
  'health-retries': number('healthcheck', 'retries'),
  'health-start-interval': text('healthcheck', 'start_interval'),
  'health-start-period': text('healthcheck', 'start_period'),
  'health-timeout': text('healthcheck', 'timeout'),
  hostname: text('hostname'),
  init: bool('init'),
  interactive: bool('stdin_open'),
  ipc: text('ipc'),
  label: list('labels'),
  link: list('external_links'),
  'log-driver': text('logging', 'driver'),
  memory: text('mem_limit'),
  'memory-reservation': text('mem_reservation'),
  'memory-swap': text('memswap_limit'),
  'memory-swappiness': number('mem_swappiness'),
  name: text('container_name'),
  'no-healthcheck': bool('healthcheck', 'disable'),
  'oom-kill-disable': bool('oom_kill_disable'),
  'oom-score-adj': number('oom_score_adj'),
  pid: text('pid'),
  'pids-limit': number('pids_limit'),
  privileged: bool('privileged'),
  publish: list('ports'),
  'read-only': bool('read_only'),
  restart: text('restart'),
  runtime: text('runtime'),
  'security-opt': list('security_opt'),
  'shm-size': text('shm_size'),
  'stop-signal': text('stop_signal'),
  'stop-timeout': { kind: 'seconds', path: ['stop_grace_period'] },
  tmpfs: list('tmpfs'),
  tty: bool('tty'),
  user: text('user'),
  userns: text('userns_mode'),
  uts: text('uts'),
  volume: list('volumes'),
  workdir: text('working_dir'),
};
