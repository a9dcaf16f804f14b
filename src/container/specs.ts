import { readFile } from 'node:fs/promises';
import type { ExecCreateRequest } from '../api/index.ts';
import type { ProcessSpec, RuntimeSpec } from '../runtime/index.ts';
import { pidToJoin } from './dependencies.ts';
import type { HostFacts } from './host-facts.ts';
import { linkEnvironment, linkedContainers } from './links.ts';
import type { Container, ContainerMount, ContainerRecord } from './record.ts';
import {
  assertPropagation,
  type ContainerFiles,
  createExecProcess,
  createSpec,
  hostDevices,
  joinedContainer,
  type NamespacePaths,
  resolveBlockIo,
  resolveDevices,
  type SeccompProfiles,
} from './spec/index.ts';
import type { ContainerStore } from './store.ts';
import type { ResolvedUser } from './user.ts';
import { userIn } from './user-in.ts';

export interface SpecsDeps {
  readonly store: Pick<ContainerStore, 'get' | 'resolve'>;
  readonly host: HostFacts;
  readonly seccomp: SeccompProfiles;
  readonly cgroupParent: string;
}

/** What a start has made ready for the container. */
export interface Prepared {
  readonly rootfs: string;
  /** With host paths as `Source`. */
  readonly mounts: readonly ContainerMount[];
  readonly files: ContainerFiles;
  /** `undefined` with the host's network. */
  readonly networkNamespace?: string;
  /** A directory of the host for /dev/shm; `undefined` when the container makes its own. */
  readonly shmPath?: string;
}

/** Gathers from the host and the container's files what the pure spec functions need. */
export class Specs {
  readonly #deps: SpecsDeps;

  constructor(deps: SpecsDeps) {
    this.#deps = deps;
  }

  async create(record: ContainerRecord, prepared: Prepared): Promise<RuntimeSpec> {
    const { host, seccomp, cgroupParent } = this.#deps;
    const { config, hostConfig } = record;
    const mounts = [...prepared.mounts, ...tmpfsMounts(record)];
    if (mounts.some(({ Propagation }) => /shared|slave/.test(Propagation))) {
      assertPropagation(mounts, await readFile('/proc/self/mountinfo', 'utf8'));
    }
    const user = userIn(prepared.rootfs, config.User, hostConfig.GroupAdd ?? []);
    const [devices, blockIo] = await Promise.all([
      (hostConfig.Privileged ? hostDevices : resolveDevices)(hostConfig.Devices ?? []),
      resolveBlockIo(hostConfig),
    ]);
    return createSpec({
      id: record.id,
      config: this.#withLinks(record),
      hostConfig,
      host,
      seccomp,
      user,
      rootfs: prepared.rootfs,
      mounts,
      files: prepared.files,
      namespaces: this.#namespaces(record, prepared.networkNamespace),
      devices,
      cgroupParent,
      ...(blockIo === undefined ? {} : { blockIo }),
      ...(prepared.shmPath === undefined ? {} : { shmPath: prepared.shmPath }),
    });
  }

  /** The user of a further command in a running container. `invalidArgument` if it has no such user. */
  execUser({ record, state }: Container, { User }: ExecCreateRequest): ResolvedUser {
    const { config, hostConfig } = record;
    return userIn(`/proc/${state.pid}/root`, User || config.User, hostConfig.GroupAdd ?? []);
  }

  /** A further command in a running container. */
  async exec(container: Container, request: ExecCreateRequest): Promise<ProcessSpec> {
    const { record } = container;
    return createExecProcess({
      config: this.#withLinks(record),
      hostConfig: record.hostConfig,
      user: this.execUser(container, request),
      host: this.#deps.host,
      request,
    });
  }

  #withLinks(record: ContainerRecord): ContainerRecord['config'] {
    const links = linkedContainers(record, this.#deps.store);
    if (links.length === 0) return record.config;
    return { ...record.config, Env: [...linkEnvironment(record, links), ...record.config.Env] };
  }

  #namespaces({ hostConfig }: ContainerRecord, network: string | undefined): NamespacePaths {
    const of = (mode: string, type: string) => {
      const name = joinedContainer(mode);
      return name === undefined
        ? undefined
        : `/proc/${pidToJoin(name, this.#deps.store, 'namespace')}/ns/${type}`;
    };
    const pid = of(hostConfig.PidMode, 'pid');
    const ipc = of(hostConfig.IpcMode, 'ipc');
    return {
      ...(network === undefined ? {} : { network }),
      ...(pid === undefined ? {} : { pid }),
      ...(ipc === undefined ? {} : { ipc }),
    };
  }
}

/** `--tmpfs`: mounts that `inspect` shows in HostConfig alone. */
function tmpfsMounts({ hostConfig }: ContainerRecord): ContainerMount[] {
  return Object.entries(hostConfig.Tmpfs ?? {}).map(([Destination, options]) => ({
    Type: 'tmpfs',
    Source: '',
    Destination,
    Mode: '',
    RW: true,
    Propagation: '',
    tmpfsOptions: options === '' ? [] : options.split(','),
  }));
}
