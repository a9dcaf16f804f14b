import type { HostConfig } from '../../api/index.ts';
import type { HostFacts } from '../host-facts.ts';

/** Namespaces to join instead of making them: files under /proc/PID/ns or a mounted netns. */
export interface NamespacePaths {
  readonly network?: string;
  readonly ipc?: string;
  readonly pid?: string;
}

export interface Namespace {
  readonly type: string;
  readonly path?: string;
}

type Modes = Pick<
  HostConfig,
  'NetworkMode' | 'UTSMode' | 'PidMode' | 'IpcMode' | 'CgroupnsMode' | 'Privileged'
>;

/** What a container does not share with the host; a type that is left out is shared. */
export function createNamespaces(modes: Modes, paths: NamespacePaths): Namespace[] {
  const own = (type: string, path?: string): Namespace => (path === undefined ? { type } : { type, path });
  return [
    own('mount'),
    ...(modes.NetworkMode === 'host' ? [] : [own('network', paths.network)]),
    ...(modes.UTSMode === 'host' ? [] : [own('uts')]),
    ...(modes.PidMode === 'host' ? [] : [own('pid', paths.pid)]),
    ...(modes.IpcMode === 'host' ? [] : [own('ipc', paths.ipc)]),
    ...(modes.CgroupnsMode === 'private' ? [own('cgroup')] : []),
  ];
}

/** Docker's default for a container that names none. */
export function defaultCgroupnsMode(host: Pick<HostFacts, 'cgroupVersion'>): 'private' | 'host' {
  return host.cgroupVersion === 2 ? 'private' : 'host';
}

/** The container named in a mode `container:x`; `undefined` for other modes. */
export function joinedContainer(mode: string): string | undefined {
  return mode.startsWith('container:') ? mode.slice('container:'.length) : undefined;
}

/** Neither the host's network nor another container's. */
export function isPrivateNetwork(mode: string): boolean {
  return mode !== 'host' && joinedContainer(mode) === undefined;
}
