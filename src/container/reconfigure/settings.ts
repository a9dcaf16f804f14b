import { posix } from 'node:path';
import type { ContainerConfig, HostConfig, PortMap, ReconfigureRequest } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { parseBind } from '../../volume/index.ts';
import { overrideEnv } from '../spec/environment.ts';

/** How a container was asked for. */
export interface Wishes {
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
}

/** Where a mount is in the container, in one spelling. */
export function destinationOf(path: string): string {
  return posix.resolve('/', path);
}

export function destinationOfBind(bind: string): string {
  return destinationOf(parseBind(bind).destination);
}

/**
 * What a container is asked for after a change. Pure; whether that is possible is for others to check. Throws
 * `invalidArgument` for a change that cannot be read, and for something to remove that is not there.
 */
export function changedWishes(
  before: Wishes,
  request: ReconfigureRequest,
  /** The ports that its image exposes, which no change takes away. */
  imagePorts: readonly string[],
): Wishes {
  const { config, hostConfig } = before;
  const { Remove: remove = {} } = request;
  const ports = changedPorts(before, request, imagePorts);
  const mounts = changedMounts(before, request);
  return {
    config: {
      ...config,
      Env: changedEnv(config.Env, request.Env ?? [], remove.Env ?? []),
      Labels: changedLabels(config.Labels, request.Labels ?? {}, remove.Labels ?? []),
      Volumes: mounts.volumes,
      ...(ports.exposed === undefined ? {} : { ExposedPorts: ports.exposed }),
    },
    hostConfig: { ...hostConfig, PortBindings: ports.bindings, ...mounts.hostConfig },
  };
}

function changedEnv(env: readonly string[], set: readonly string[], remove: readonly string[]): string[] {
  for (const entry of set) {
    if (!/^[^=]+=/.test(entry)) throw invalid(`invalid environment variable: ${entry}`);
  }
  const keys = new Set(env.map((entry) => entry.split('=', 1)[0] ?? ''));
  for (const key of remove) if (!keys.has(key)) throw missing(`environment variable ${key}`);
  return overrideEnv(env, [...remove, ...set]);
}

function changedLabels(
  labels: Readonly<Record<string, string>>,
  set: Readonly<Record<string, string>>,
  remove: readonly string[],
): Record<string, string> {
  for (const key of remove) if (!Object.hasOwn(labels, key)) throw missing(`label ${key}`);
  return { ...without(labels, remove), ...set };
}

/** `80` means `80/tcp`. */
function portKey(port: string): string {
  return port.includes('/') ? port : `${port}/tcp`;
}

function changedPorts(
  { config, hostConfig }: Wishes,
  { PortBindings: given = {}, Remove: remove = {} }: ReconfigureRequest,
  imagePorts: readonly string[],
): { readonly bindings: PortMap; readonly exposed: ContainerConfig['ExposedPorts'] } {
  const set: PortMap = Object.fromEntries(
    Object.entries(given).map(([port, places]) => [portKey(port), places ?? []]),
  );
  const gone = (remove.Ports ?? []).map(portKey);
  for (const port of gone) {
    if (Object.hasOwn(hostConfig.PortBindings, port)) continue;
    throw missing(`published port ${port}${hostConfig.PublishAllPorts ? ' but by --publish-all' : ''}`);
  }
  const unexposed = gone.filter((port) => !imagePorts.includes(port));
  const exposed = {
    ...without(config.ExposedPorts ?? {}, unexposed),
    ...Object.fromEntries(Object.keys(set).map((port) => [port, {}])),
  };
  return {
    bindings: { ...without(hostConfig.PortBindings, gone), ...set },
    exposed: config.ExposedPorts === undefined && Object.keys(exposed).length === 0 ? undefined : exposed,
  };
}

function changedMounts(
  { config, hostConfig }: Wishes,
  { Binds: binds = [], Mounts: specs = [], Volumes: given = {}, Remove: remove = {} }: ReconfigureRequest,
): { readonly hostConfig: Partial<HostConfig>; readonly volumes: ContainerConfig['Volumes'] } {
  const gone = new Set((remove.Mounts ?? []).map(destinationOf));
  const present = new Set(mountTable({ config, hostConfig }).keys());
  for (const path of gone) if (!present.has(path)) throw missing(`mount at ${path}`);
  const named = new Set([
    ...gone,
    ...binds.map(destinationOfBind),
    ...specs.map(({ Target }) => destinationOf(Target)),
    ...Object.keys(given).map(destinationOf),
  ]);
  const keptBinds = (hostConfig.Binds ?? []).filter((bind) => !named.has(destinationOfBind(bind)));
  const keptSpecs = (hostConfig.Mounts ?? []).filter(({ Target }) => !named.has(destinationOf(Target)));
  const tmpfs = withoutPaths(hostConfig.Tmpfs ?? {}, named);
  const volumes = { ...withoutPaths(config.Volumes ?? {}, gone), ...given };
  return {
    hostConfig: {
      Binds: hostConfig.Binds === null && binds.length === 0 ? null : [...keptBinds, ...binds],
      ...(hostConfig.Mounts === undefined && specs.length === 0 ? {} : { Mounts: [...keptSpecs, ...specs] }),
      ...(hostConfig.Tmpfs === undefined ? {} : { Tmpfs: tmpfs }),
    },
    volumes: Object.keys(volumes).length === 0 ? null : volumes,
  };
}

/** One mount as it was asked for. */
export interface MountWish {
  /** For people. */
  readonly text: string;
  /** Two wishes with the same are the same mount. */
  readonly identity: string;
}

/** What a container asks to have mounted where, but for --volumes-from. A volume of the image counts where nothing is in front of it. */
export function mountTable({ config, hostConfig }: Wishes): Map<string, MountWish> {
  const table = new Map<string, MountWish>();
  const put = (path: string, text: string, value: unknown) =>
    table.set(destinationOf(path), { text, identity: JSON.stringify(value) });
  for (const path of Object.keys(config.Volumes ?? {})) put(path, 'volume', ['volume']);
  for (const [path, options] of Object.entries(hostConfig.Tmpfs ?? {})) {
    put(path, options === '' ? 'tmpfs' : `tmpfs ${options}`, ['tmpfs', options]);
  }
  for (const bind of hostConfig.Binds ?? []) put(destinationOfBind(bind), bind, ['bind', bind]);
  for (const spec of hostConfig.Mounts ?? []) {
    const { Type, Source = '', ReadOnly } = spec;
    const text = [Type, Source, ReadOnly === true ? 'read-only' : ''].filter((part) => part !== '').join(' ');
    put(spec.Target, text, spec);
  }
  return table;
}

function withoutPaths<T>(byPath: Readonly<Record<string, T>>, paths: ReadonlySet<string>): Record<string, T> {
  return Object.fromEntries(Object.entries(byPath).filter(([path]) => !paths.has(destinationOf(path))));
}

function without<T>(record: Readonly<Record<string, T>>, keys: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)));
}

function missing(what: string): EngineError {
  return invalid(`the container has no ${what}`);
}

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}
