import type { ContainerCreateRequest, ExecCreateRequest } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';

/** What a field must be; `command` is an array of strings or, as Docker allows, one string. */
type Kind = 'string' | 'number' | 'boolean' | 'strings' | 'command' | 'object' | 'labels' | 'array';
export type Kinds = Readonly<Record<string, Kind>>;
export type Fields = Record<string, unknown>;

const configKinds: Kinds = {
  Hostname: 'string',
  Domainname: 'string',
  User: 'string',
  AttachStdin: 'boolean',
  AttachStdout: 'boolean',
  AttachStderr: 'boolean',
  ExposedPorts: 'object',
  Tty: 'boolean',
  OpenStdin: 'boolean',
  StdinOnce: 'boolean',
  Env: 'strings',
  Cmd: 'command',
  Healthcheck: 'object',
  ArgsEscaped: 'boolean',
  Image: 'string',
  Volumes: 'object',
  WorkingDir: 'string',
  Entrypoint: 'command',
  NetworkDisabled: 'boolean',
  MacAddress: 'string',
  OnBuild: 'strings',
  Labels: 'labels',
  StopSignal: 'string',
  StopTimeout: 'number',
  Shell: 'command',
  HostConfig: 'object',
  NetworkingConfig: 'object',
};

const hostKinds: Kinds = {
  CpuShares: 'number',
  Memory: 'number',
  NanoCpus: 'number',
  CgroupParent: 'string',
  BlkioWeight: 'number',
  BlkioWeightDevice: 'array',
  BlkioDeviceReadBps: 'array',
  BlkioDeviceWriteBps: 'array',
  BlkioDeviceReadIOps: 'array',
  BlkioDeviceWriteIOps: 'array',
  CpuPeriod: 'number',
  CpuQuota: 'number',
  CpuRealtimePeriod: 'number',
  CpuRealtimeRuntime: 'number',
  CpusetCpus: 'string',
  CpusetMems: 'string',
  Devices: 'array',
  DeviceCgroupRules: 'strings',
  DeviceRequests: 'array',
  KernelMemory: 'number',
  KernelMemoryTCP: 'number',
  MemoryReservation: 'number',
  MemorySwap: 'number',
  MemorySwappiness: 'number',
  OomKillDisable: 'boolean',
  PidsLimit: 'number',
  Ulimits: 'array',
  Binds: 'strings',
  ContainerIDFile: 'string',
  LogConfig: 'object',
  NetworkMode: 'string',
  PortBindings: 'object',
  RestartPolicy: 'object',
  AutoRemove: 'boolean',
  VolumeDriver: 'string',
  VolumesFrom: 'strings',
  Mounts: 'array',
  ConsoleSize: 'array',
  Annotations: 'labels',
  CapAdd: 'command',
  CapDrop: 'command',
  CgroupnsMode: 'string',
  Dns: 'strings',
  DnsOptions: 'strings',
  DnsSearch: 'strings',
  ExtraHosts: 'strings',
  GroupAdd: 'strings',
  IpcMode: 'string',
  Cgroup: 'string',
  Links: 'strings',
  OomScoreAdj: 'number',
  PidMode: 'string',
  Privileged: 'boolean',
  PublishAllPorts: 'boolean',
  ReadonlyRootfs: 'boolean',
  SecurityOpt: 'strings',
  StorageOpt: 'labels',
  Tmpfs: 'labels',
  UTSMode: 'string',
  UsernsMode: 'string',
  ShmSize: 'number',
  Sysctls: 'labels',
  Runtime: 'string',
  Isolation: 'string',
  MaskedPaths: 'strings',
  ReadonlyPaths: 'strings',
  Init: 'boolean',
};

const execKinds: Kinds = {
  AttachStdin: 'boolean',
  AttachStdout: 'boolean',
  AttachStderr: 'boolean',
  Tty: 'boolean',
  ConsoleSize: 'array',
  DetachKeys: 'string',
  Cmd: 'command',
  Env: 'strings',
  Privileged: 'boolean',
  User: 'string',
  WorkingDir: 'string',
};

/** Checks and normalizes the body of `POST /containers/create`: no nulls, commands as arrays. Throws `invalidArgument`. */
export function toCreateRequest(body: Fields): ContainerCreateRequest {
  const config = readFields(body, configKinds, 'Config');
  for (const set of ['ExposedPorts', 'Volumes']) {
    if (isObject(config[set])) config[set] = withoutNullValues(config[set], {});
  }
  if (isObject(config['HostConfig'])) config['HostConfig'] = toHostConfig(config['HostConfig']);
  if (isObject(config['NetworkingConfig'])) {
    const networking = readFields(
      config['NetworkingConfig'],
      { EndpointsConfig: 'object' },
      'NetworkingConfig',
    );
    const endpoints = networking['EndpointsConfig'];
    if (isObject(endpoints)) networking['EndpointsConfig'] = withoutNullValues(endpoints, {});
    config['NetworkingConfig'] = networking;
  }
  return config;
}

export function toHostConfig(body: Fields): Fields {
  const host = readFields(body, hostKinds, 'HostConfig');
  if (Array.isArray(host['Mounts'])) host['Mounts'] = toMounts(host['Mounts'], 'HostConfig.Mounts');
  if (isObject(host['RestartPolicy'])) {
    host['RestartPolicy'] = { Name: '', MaximumRetryCount: 0, ...dropNulls(host['RestartPolicy']) };
  }
  if (isObject(host['LogConfig'])) {
    host['LogConfig'] = { Type: '', Config: {}, ...dropNulls(host['LogConfig']) };
  }
  return host;
}

/** Mounts without nulls. */
export function toMounts(mounts: readonly unknown[], name: string): Fields[] {
  return mounts.map((mount) => {
    if (!isObject(mount)) throw mismatch(mount, name, 'array of objects');
    return dropNulls(mount);
  });
}

export function toExecRequest(body: Fields): ExecCreateRequest {
  return readFields(body, execKinds, 'ExecConfig');
}

/**
 * The known fields of the right kind, other fields as they are. A null is as if the field were not there. The case of
 * a known name does not matter, as in Go: docker-py sends `detachKeys`.
 */
export function readFields(body: Fields, kinds: Kinds, name: string): Fields {
  const fields: Fields = {};
  for (const [given, value] of Object.entries(body)) {
    if (value === null || value === undefined) continue;
    const key = Object.hasOwn(kinds, given) ? given : (knownName(given, kinds) ?? given);
    if (key !== given && key in body) continue;
    const kind = kinds[key];
    if (kind !== undefined && !isOfKind(value, kind)) throw mismatch(value, `${name}.${key}`, kind);
    fields[key] = kind === 'command' && typeof value === 'string' ? [value] : value;
  }
  return fields;
}

function knownName(given: string, kinds: Kinds): string | undefined {
  const lower = given.toLowerCase();
  return Object.keys(kinds).find((key) => key.toLowerCase() === lower);
}

function isOfKind(value: unknown, kind: Kind): boolean {
  switch (kind) {
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === kind;
    case 'array':
      return Array.isArray(value);
    case 'strings':
      return isStrings(value);
    case 'command':
      return typeof value === 'string' || isStrings(value);
    case 'object':
      return isObject(value);
    case 'labels':
      return isObject(value) && Object.values(value).every((item) => typeof item === 'string');
  }
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function withoutNullValues(fields: Fields, instead: object): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, value ?? instead]));
}

function dropNulls(fields: Fields): Fields {
  const kept: Fields = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value !== null) kept[key] = isObject(value) ? dropNulls(value) : value;
  }
  return kept;
}

function mismatch(value: unknown, field: string, kind: string): EngineError {
  const found = Array.isArray(value) ? 'array' : typeof value;
  return new EngineError(
    'invalidArgument',
    `invalid JSON: json: cannot unmarshal ${found} into Go struct field ${field} of type ${kind}`,
  );
}
