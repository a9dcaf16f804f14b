import { mkdir, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import type { ContainerConfig, HostConfig, MountSpec, Volume } from '../api/index.ts';
import { EngineError, hasErrno, isCode, messageOf } from '../errors/index.ts';
import type { Images } from '../image/index.ts';
import { type CreateVolume, parseBind, parseVolumesFrom, type Volumes } from '../volume/index.ts';
import type { ContainerMount } from './record.ts';
import type { ContainerStore } from './store.ts';

export interface MountRequest {
  readonly containerId: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** As `CreateOptions` has it. */
  readonly writableBelow?: boolean | undefined;
}

/** Where mounts come from. */
export interface MountSources {
  readonly volumes: Volumes;
  readonly images: Pick<Images, 'resolve'>;
}

export interface MountPointsDeps extends MountSources {
  readonly store: ContainerStore;
}

/**
 * The mounts a new container gets, in Docker's order of precedence: --volumes-from, then -v, then --mount, then the
 * VOLUMEs of the image. Named and anonymous volumes are made and attached to the container; on failure it is for the
 * caller to detach them. [moby daemon/volumes.go]
 */
export async function makeMountPoints(
  request: MountRequest,
  deps: MountPointsDeps,
): Promise<ContainerMount[]> {
  const { hostConfig, config } = request;
  const byDestination = new Map<string, ContainerMount>();
  const put = (mount: ContainerMount) => byDestination.set(mount.Destination, mount);
  for (const from of hostConfig.VolumesFrom ?? []) {
    for (const mount of mountsFrom(from, deps.store)) {
      put(mount);
      if (mount.Type === 'volume' && mount.Name !== undefined)
        deps.volumes.attach(mount.Name, request.containerId);
    }
  }
  const given = new Set<string>();
  const once = (mount: ContainerMount) => {
    if (given.has(mount.Destination)) {
      throw new EngineError('invalidArgument', `Duplicate mount point: ${mount.Destination}`);
    }
    given.add(mount.Destination);
    const leavesBelow = request.writableBelow === true && mount.Type === 'bind' && !mount.RW;
    put(leavesBelow ? { ...mount, writableBelow: true } : mount);
  };
  const { containerId } = request;
  const { Binds: binds, Mounts: specs, VolumeDriver: driver } = hostConfig;
  const asked = { containerId, binds: binds ?? [], specs: specs ?? [], paths: [], driver };
  for (const mount of await makeMounts(asked, deps)) once(mount);
  const paths = Object.keys(config.Volumes ?? {})
    .map((path) => posix.resolve('/', path))
    .filter((path) => !byDestination.has(path) && hostConfig.Tmpfs?.[path] === undefined);
  for (const mount of await makeMounts({ ...asked, binds: [], specs: [], paths }, deps)) put(mount);
  return [...byDestination.values()];
}

/** Single mounts of a container: `-v`s, `--mount`s, and paths that get an anonymous volume. */
export interface MountsRequest {
  readonly containerId: string;
  readonly binds: readonly string[];
  readonly specs: readonly MountSpec[];
  readonly paths: readonly string[];
  /** For the volumes of `binds` and `paths`. */
  readonly driver: string;
}

/** Makes what mounts need: volumes, attached to the container, and directories of the host. */
export async function makeMounts(
  request: MountsRequest,
  { volumes, images }: MountSources,
): Promise<ContainerMount[]> {
  const create: VolumeMaker = (volume) => createVolume({ ...volume, user: request.containerId }, volumes);
  const made: ContainerMount[] = [];
  for (const bind of request.binds) made.push(await fromBind(bind, request.driver, create));
  for (const spec of request.specs) made.push(await fromMount(spec, create, images));
  for (const destination of request.paths) {
    made.push(
      await newVolume({ destination, readOnly: false, mode: '' }, { driver: request.driver }, create),
    );
  }
  return made;
}

type VolumeMaker = (request: CreateVolume) => Promise<Volume>;

async function createVolume(request: CreateVolume, volumes: Volumes): Promise<Volume> {
  return volumes.create(request).catch(rethrowMissing);
}

/** A driver or image there is not is `invalidArgument`: clients take a 404 here for the container's image, and pull. */
function rethrowMissing(error: unknown): never {
  if (!isCode(error, 'notFound')) throw error;
  throw new EngineError('invalidArgument', messageOf(error), { cause: error });
}

function mountsFrom(text: string, store: ContainerStore): ContainerMount[] {
  const { container, mode, readOnly } = parseVolumesFrom(text);
  return store
    .resolveNamed(container)
    .record.mounts.map((mount) => ({ ...mount, RW: mount.RW && !readOnly, Mode: mode, noCopy: true }));
}

interface VolumeMount {
  readonly destination: string;
  readonly readOnly: boolean;
  readonly mode: string;
  readonly noCopy?: boolean;
  readonly subpath?: string;
}

interface VolumeChoice {
  readonly name?: string;
  readonly driver?: string;
  readonly driverOptions?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

async function newVolume(
  mount: VolumeMount,
  choice: VolumeChoice,
  create: VolumeMaker,
): Promise<ContainerMount> {
  const anonymous = choice.name === undefined || choice.name === '';
  const volume = await create({
    ...(anonymous ? { anonymous: true } : { Name: choice.name }),
    ...(choice.driver === undefined || choice.driver === '' ? {} : { Driver: choice.driver }),
    ...(choice.driverOptions === undefined ? {} : { DriverOpts: choice.driverOptions }),
    ...(choice.labels === undefined ? {} : { Labels: choice.labels }),
  });
  return {
    Type: 'volume',
    Name: volume.Name,
    Source: volume.Mountpoint,
    Destination: mount.destination,
    Driver: volume.Driver,
    Mode: mount.mode,
    RW: !mount.readOnly,
    Propagation: '',
    ...(mount.noCopy === true ? { noCopy: true } : {}),
    ...(mount.subpath === undefined ? {} : { subpath: mount.subpath }),
    ...(anonymous ? { anonymous: true } : {}),
  };
}

async function fromBind(text: string, driver: string, create: VolumeMaker): Promise<ContainerMount> {
  const bind = parseBind(text);
  if (bind.type === 'volume') {
    return newVolume(bind, { ...(bind.source === undefined ? {} : { name: bind.source }), driver }, create);
  }
  const mount = bindMount({ ...bind, recursive: true, createSource: true });
  await makeSource(mount);
  return mount;
}

/** As Docker does for each use of a -v: makes the directory on the host if nothing is there. */
export async function makeSource({ createSource, Source }: ContainerMount): Promise<void> {
  if (createSource !== true) return;
  try {
    await mkdir(Source, { recursive: true });
  } catch (error) {
    // A file is there, or on the way.
    if (!hasErrno(error, 'EEXIST') && !hasErrno(error, 'ENOTDIR')) throw error;
  }
}

function bindMount(bind: {
  readonly source: string;
  readonly destination: string;
  readonly readOnly: boolean;
  readonly mode: string;
  readonly propagation: string;
  readonly recursive: boolean;
  readonly writableBelow?: boolean;
  readonly createSource?: boolean;
}): ContainerMount {
  return {
    Type: 'bind',
    Source: bind.source,
    Destination: bind.destination,
    Mode: bind.mode,
    RW: !bind.readOnly,
    Propagation: bind.propagation,
    ...(bind.recursive ? {} : { nonRecursive: true }),
    ...(bind.writableBelow === true ? { writableBelow: true } : {}),
    ...(bind.createSource === true ? { createSource: true } : {}),
  };
}

async function fromMount(
  mount: MountSpec,
  create: VolumeMaker,
  images: MountSources['images'],
): Promise<ContainerMount> {
  const destination = posix.resolve('/', mount.Target);
  const readOnly = mount.ReadOnly === true;
  switch (mount.Type) {
    case 'bind':
      await assertBindSource(mount);
      return bindMount({
        source: mount.Source ?? '',
        destination,
        readOnly,
        mode: '',
        propagation: mount.BindOptions?.Propagation || 'rprivate',
        recursive: mount.BindOptions?.NonRecursive !== true,
        writableBelow: mount.BindOptions?.ReadOnlyNonRecursive === true,
        createSource: mount.BindOptions?.CreateMountpoint === true,
      });
    case 'volume': {
      const options = mount.VolumeOptions;
      return newVolume(
        {
          destination,
          readOnly,
          mode: 'z',
          ...(options?.NoCopy === true ? { noCopy: true } : {}),
          ...subpathOf(options),
        },
        {
          ...(mount.Source === undefined ? {} : { name: mount.Source }),
          ...(options?.DriverConfig?.Name === undefined ? {} : { driver: options.DriverConfig.Name }),
          ...(options?.DriverConfig?.Options === undefined
            ? {}
            : { driverOptions: options.DriverConfig.Options }),
          ...(options?.Labels === undefined ? {} : { labels: options.Labels }),
        },
        create,
      );
    }
    case 'tmpfs':
      return {
        Type: 'tmpfs',
        Source: '',
        Destination: destination,
        Mode: '',
        RW: !readOnly,
        Propagation: '',
        tmpfsOptions: tmpfsOptions(mount),
      };
    case 'image':
      return imageMount(mount, destination, images);
    case 'npipe':
    case 'cluster':
      throw new EngineError(
        'invalidArgument',
        `invalid mount config for type "${mount.Type}": unsupported type`,
      );
    default: {
      const unknown: string = mount.Type;
      throw new EngineError('invalidArgument', `mount type unknown: "${unknown}"`);
    }
  }
}

/** Always read-only. */
function imageMount(
  { Source: name = '', ImageOptions }: MountSpec,
  destination: string,
  images: MountSources['images'],
): ContainerMount {
  const { id, chainId } = resolveSource(name, images);
  if (chainId === undefined) {
    throw new EngineError('invalidArgument', `Cannot mount image ${JSON.stringify(name)}: it has no files`);
  }
  return {
    Type: 'image',
    Name: name,
    Source: '',
    Destination: destination,
    Mode: '',
    RW: false,
    Propagation: '',
    ...subpathOf(ImageOptions),
    image: { id, chainId },
  };
}

function resolveSource(name: string, images: MountSources['images']): ReturnType<Images['resolve']> {
  try {
    return images.resolve(name);
  } catch (error) {
    return rethrowMissing(error);
  }
}

function subpathOf(options: { readonly Subpath?: string } | null | undefined): { subpath?: string } {
  const subpath = options?.Subpath ?? '';
  return subpath === '' ? {} : { subpath };
}

async function assertBindSource(mount: MountSpec): Promise<void> {
  const source = mount.Source ?? '';
  if (!source.startsWith('/')) {
    throw new EngineError(
      'invalidArgument',
      `invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`,
    );
  }
  if (mount.BindOptions?.CreateMountpoint === true) {
    await mkdir(source, { recursive: true });
    return;
  }
  try {
    await stat(source);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    const text = `invalid mount config for type "bind": bind source path does not exist: ${source}`;
    throw new EngineError('invalidArgument', text, { cause: error });
  }
}

function tmpfsOptions(mount: MountSpec): string[] {
  const options = mount.TmpfsOptions;
  return [
    ...(options?.SizeBytes ? [`size=${options.SizeBytes}`] : []),
    ...(options?.Mode ? [`mode=${options.Mode.toString(8)}`] : []),
    ...(options?.Options ?? []).map((option) => option.join('=')),
  ];
}
