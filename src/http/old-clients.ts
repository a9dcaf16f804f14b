import type { ContainerCreateRequest, ContainerInspect, EndpointSettings, Filters } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';

/** What a client of an older API asks for by creating a container, as one of today would. */
export function createRequestOf(request: ContainerCreateRequest, api: number): ContainerCreateRequest {
  const changes = [
    { before: 25, change: withoutAutoRemove },
    { before: 40, change: withSharedIpc },
    { before: 42, change: withoutForeignOptions },
    { before: 44, change: withoutEndpointMacs },
    { before: 48, change: withoutImageMounts },
  ];
  return changes.reduce((asked, { before, change }) => (api < before ? change(asked) : asked), request);
}

/** Before API 1.25 it was the client that removed a container of `--rm`. */
function withoutAutoRemove(request: ContainerCreateRequest): ContainerCreateRequest {
  return { ...request, HostConfig: { ...request.HostConfig, AutoRemove: false } };
}

/** Before API 1.41 the name that listed images were to have stood in a parameter of its own. */
export function withReference(filters: Filters, name: string): Filters {
  if (name === '') return filters;
  return new Map([...filters, ['reference', [...(filters.get('reference') ?? []), name]]]);
}

type Commits = Readonly<Record<'ContainerdCommit' | 'RuncCommit' | 'InitCommit', { readonly ID: string }>>;

/** Before API 1.49 the commits of programs stood beside the expected ones; the docker CLI shows both. */
export function withExpectedCommits(info: object): object {
  const { ContainerdCommit, RuncCommit, InitCommit } = info as Commits;
  const expected = ({ ID }: { readonly ID: string }) => ({ ID, Expected: ID });
  return {
    ...info,
    ContainerdCommit: expected(ContainerdCommit),
    RuncCommit: expected(RuncCommit),
    InitCommit: expected(InitCommit),
  };
}

const predefined = ['bridge', 'host', 'none', 'default'];

/**
 * Before API 1.45 a container's short id and host name stood among its aliases on every user-defined network; Compose 1
 * takes a container without them off the network and puts it on again.
 */
export function withIdAmongAliases(container: ContainerInspect): ContainerInspect {
  const { Id, Config, NetworkSettings } = container;
  const added = [Id.slice(0, 12), Config.Hostname];
  const networks = Object.entries(NetworkSettings.Networks).map(
    ([name, endpoint]): [string, EndpointSettings] => {
      if (predefined.includes(name)) return [name, endpoint];
      return [name, { ...endpoint, Aliases: [...new Set([...(endpoint.Aliases ?? []), ...added])] }];
    },
  );
  return { ...container, NetworkSettings: { ...NetworkSettings, Networks: Object.fromEntries(networks) } };
}

/** Before API 1.40 a container shared its IPC namespace unless told otherwise: Compose 1's `ipc: "service:x"` joins it. */
function withSharedIpc(request: ContainerCreateRequest): ContainerCreateRequest {
  const { HostConfig } = request;
  return HostConfig?.IpcMode ? request : { ...request, HostConfig: { ...HostConfig, IpcMode: 'shareable' } };
}

/** Before API 1.42 a mount could have options of a volume or tmpfs that it was not; nobody read them. */
function withoutForeignOptions(request: ContainerCreateRequest): ContainerCreateRequest {
  const { HostConfig } = request;
  const Mounts = HostConfig?.Mounts?.map(({ VolumeOptions, TmpfsOptions, ...mount }) => ({
    ...mount,
    ...(mount.Type === 'volume' && VolumeOptions ? { VolumeOptions } : {}),
    ...(mount.Type === 'tmpfs' && TmpfsOptions ? { TmpfsOptions } : {}),
  }));
  return Mounts === undefined ? request : { ...request, HostConfig: { ...HostConfig, Mounts } };
}

/** Before API 1.48 there were no mounts of images, and nobody read their options. */
function withoutImageMounts(request: ContainerCreateRequest): ContainerCreateRequest {
  const { HostConfig } = request;
  const mounts = HostConfig?.Mounts ?? [];
  if (mounts.some(({ Type }) => Type === 'image'))
    throw new EngineError('invalidArgument', 'Mount type "Image" needs API v1.48 or newer');
  if (mounts.every(({ ImageOptions }) => ImageOptions === undefined)) return request;
  const Mounts = mounts.map(({ ImageOptions: _unread, ...mount }) => mount);
  return { ...request, HostConfig: { ...HostConfig, Mounts } };
}

/** Before API 1.44 an endpoint had no MAC address of its own to ask for: what stands there was copied from inspect. */
function withoutEndpointMacs(request: ContainerCreateRequest): ContainerCreateRequest {
  const endpoints = Object.entries(request.NetworkingConfig?.EndpointsConfig ?? {}).map(
    ([network, { MacAddress: _copied, ...settings }]) => [network, settings] as const,
  );
  return { ...request, NetworkingConfig: { EndpointsConfig: Object.fromEntries(endpoints) } };
}
