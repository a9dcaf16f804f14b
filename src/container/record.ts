import type {
  ContainerConfig,
  ContainerStatus,
  EndpointSettings,
  Health,
  HostConfig,
  MountPoint,
} from '../api/index.ts';
import type { ImageUser } from '../image/index.ts';
import type { Addresses, Connection } from '../network/index.ts';
import type { ChainId, ImageId } from '../oci/index.ts';
import type { StopOptions } from './containers.ts';
import type { Ending } from './runs/run.ts';

/** A mount as it was asked for, beside how Docker shows it. */
export interface ContainerMount extends MountPoint {
  /** Leave a new volume empty instead of filling it from the image. */
  readonly noCopy?: boolean;
  /** Path inside the volume or image. */
  readonly subpath?: string;
  /** Made for this container without a name of the user's: goes with it on `rm -v` and `--rm`. */
  readonly anonymous?: boolean;
  readonly nonRecursive?: boolean;
  /** bind only: its directory on the host is made whenever it is missing. */
  readonly createSource?: boolean;
  /** Read-only, but what is mounted below stays as it is. */
  readonly writableBelow?: boolean;
  /** tmpfs only: mount options. */
  readonly tmpfsOptions?: readonly string[];
  /** image only; `Name` is what it was asked for by. */
  readonly image?: MountedImage;
}

export interface MountedImage {
  readonly id: ImageId;
  /** Of its top layer. */
  readonly chainId: ChainId;
}

/** What a container is; it changes only by rename and update. */
export interface ContainerRecord {
  readonly id: string;
  /** With the leading slash. */
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  readonly imageId: ImageId;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** By network; none stands for the network of its mode. */
  readonly endpoints: Readonly<Record<string, Partial<EndpointSettings>>>;
  /** It was taken off its last network: none stands for none. */
  readonly unconnected?: boolean;
  readonly mounts: readonly ContainerMount[];
  /** Ids of the containers that its links named when it was made, by those names. */
  readonly links?: Readonly<Record<string, string>>;
}

/** What a container does; one row write per transition. */
export interface RunState {
  readonly running: boolean;
  readonly paused: boolean;
  readonly restarting: boolean;
  /** A removal has begun. */
  readonly removing: boolean;
  /** The removal that has begun takes anonymous volumes along. */
  readonly removingVolumes?: boolean;
  /** A removal failed. */
  readonly dead: boolean;
  readonly pid: number;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly error: string;
  /** RFC 3339; Go's zero time before the first start. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly restartCount: number;
  /** Stopped by a client: the restart policy leaves it alone. */
  readonly stoppedByUser: boolean;
  /** The record names limits that the running container may not have yet. */
  readonly updating?: boolean;
  /** A commit has it frozen, or is about to: that is no pause. */
  readonly committing?: boolean;
  readonly connection?: Connection;
  /** Its files may still tell of this connection, which it had before. */
  readonly filesOf?: Connection;
  readonly health?: Health;
  /** What was asked of this run last. */
  readonly ending?: Ending;
  /** It is being stopped to run again in another way. */
  readonly reconfiguration?: Reconfiguration;
}

/** The part of a record that a reconfiguration changes. */
export type Settings = Pick<ContainerRecord, 'config' | 'hostConfig' | 'mounts'>;

/**
 * What is left to do of a reconfiguration, for whoever goes on with it: stop the container and give it the settings
 * `next`; start it with the new ones it has, `previous` being those to go back to; or start it with the old ones it has
 * again, `failure` being why.
 */
export type Reconfiguration = (
  | { readonly step: 'stop'; readonly next: Settings; readonly stop: StopOptions }
  | { readonly step: 'start'; readonly previous: Settings }
  | { readonly step: 'restore'; readonly failure: string }
) & {
  /** Its own, by network id. */
  readonly addresses: Addresses;
};

export interface Container {
  readonly record: ContainerRecord;
  readonly state: RunState;
}

export const zeroTime = '0001-01-01T00:00:00Z';

export const newState: RunState = {
  running: false,
  paused: false,
  restarting: false,
  removing: false,
  dead: false,
  pid: 0,
  exitCode: 0,
  oomKilled: false,
  error: '',
  startedAt: zeroTime,
  finishedAt: zeroTime,
  restartCount: 0,
  stoppedByUser: false,
};

/** The names of the volumes among mounts. */
export function volumesOf(mounts: readonly ContainerMount[]): string[] {
  return mounts.flatMap(({ Type, Name }) => (Type === 'volume' ? (Name ?? []) : []));
}

/** The names of all volumes that a container needs, whichever way it comes to run. */
export function neededVolumes(container: Container): string[] {
  return volumesOf(neededMounts(container));
}

/** The images that a container needs beside its own, likewise. */
export function mountedImages(container: Container): MountedImage[] {
  return neededMounts(container).flatMap(({ image }) => image ?? []);
}

/** The images that a container uses: its own, and those that it has mounted. */
export function imageUses(container: Container): ImageUser[] {
  const { record, state } = container;
  const use = { containerId: record.id, running: state.running };
  const mounted = mountedImages(container).map(({ id, chainId }) => ({
    ...use,
    imageId: id,
    mounted: chainId,
  }));
  return [{ ...use, imageId: record.imageId }, ...mounted];
}

function neededMounts({ record, state: { reconfiguration } }: Container): readonly ContainerMount[] {
  const others =
    reconfiguration?.step === 'stop'
      ? reconfiguration.next.mounts
      : reconfiguration?.step === 'start'
        ? reconfiguration.previous.mounts
        : [];
  return [...record.mounts, ...others];
}

/** Docker's one word for a state. [moby daemon/container/state.go] */
export function statusOf(state: RunState): ContainerStatus {
  if (state.paused) return 'paused';
  if (state.restarting) return 'restarting';
  if (state.running) return 'running';
  if (state.removing) return 'removing';
  if (state.dead) return 'dead';
  return state.startedAt === zeroTime ? 'created' : 'exited';
}
