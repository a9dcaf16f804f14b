import { isIP } from 'node:net';
import type { ContainerCreateRequest, HostConfig } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { joinedContainer } from '../spec/namespaces.ts';
import { invalid } from './invalid.ts';

const ipcModes = new Set(['none', 'private', 'shareable', 'host']);
const portSpec = /^[0-9]+(-[0-9]+)?$/;
const largestPort = 65_535;

/** What a container shares: the words for its namespaces. */
export function assertModes(hostConfig: HostConfig): void {
  const { IpcMode, PidMode, UTSMode, UsernsMode, CgroupnsMode, NetworkMode, Privileged } = hostConfig;
  const joins = (mode: string) => (joinedContainer(mode) ?? '') !== '';
  if (!ipcModes.has(IpcMode) && !joins(IpcMode)) throw invalid(`invalid IPC mode: ${IpcMode}`);
  if (PidMode !== '' && PidMode !== 'host' && !joins(PidMode)) throw invalid(`invalid PID mode: ${PidMode}`);
  if (UTSMode !== '' && UTSMode !== 'host') throw invalid(`invalid UTS mode: ${UTSMode}`);
  if (UsernsMode !== '' && UsernsMode !== 'host') throw invalid(`invalid userns mode: ${UsernsMode}`);
  const cgroupnsMode: string = CgroupnsMode;
  if (cgroupnsMode !== 'private' && cgroupnsMode !== 'host') {
    throw invalid(`invalid cgroup namespace mode: ${cgroupnsMode}`);
  }
  if (joinedContainer(NetworkMode) === '') {
    throw invalid('invalid network mode: invalid container format container:<name|id>');
  }
  if (Privileged && hostConfig.Runtime === '') throw invalid('privileged mode needs a runtime');
}

/** Options that contradict the network mode, and addresses and ports that are none. */
export function assertNetworking(request: ContainerCreateRequest, hostConfig: HostConfig): void {
  const { NetworkMode: mode, UTSMode } = hostConfig;
  const joined = joinedContainer(mode) !== undefined;
  const hostname = request.Hostname ?? '';
  const count = (list: readonly unknown[] | null) => list?.length ?? 0;
  const conflicts: readonly [boolean, string][] = [
    [joined && hostname !== '', 'hostname and the network mode'],
    [UTSMode === 'host' && hostname !== '', 'hostname and the UTS mode'],
    [
      mode === 'host' && count(hostConfig.Links) > 0,
      "host type networking can't be used with links. This would result in undefined behavior",
    ],
    [
      joined && count(hostConfig.Links) > 0,
      "container type network can't be used with links. This would result in undefined behavior",
    ],
    [joined && count(hostConfig.Dns) > 0, 'dns and the network mode'],
    [joined && count(hostConfig.ExtraHosts) > 0, 'custom host-to-IP mapping and the network mode'],
    [
      joined && (hostConfig.PublishAllPorts || Object.keys(hostConfig.PortBindings).length > 0),
      'port publishing and the container type network mode',
    ],
    [
      joined && Object.keys(request.ExposedPorts ?? {}).length > 0,
      'port exposing and the container type network mode',
    ],
  ];
  for (const [holds, text] of conflicts) if (holds) throw invalid(`conflicting options: ${text}`);
  for (const link of hostConfig.Links ?? []) assertLink(link);
  for (const host of hostConfig.ExtraHosts ?? []) assertExtraHost(host);
  for (const address of hostConfig.Dns ?? []) {
    if (isIP(address) === 0) throw invalid(`invalid DNS address: ${JSON.stringify(address)}`);
  }
  for (const [port, bindings] of Object.entries(hostConfig.PortBindings)) assertPort(port, bindings ?? []);
}

function assertLink(text: string): void {
  if (text === '') throw invalid('empty string specified for links');
  if (text.split(':').length > 2) throw invalid(`bad format for links: ${text}`);
}

function assertExtraHost(text: string): void {
  const at = text.search(/[:=]/);
  if (at < 1) throw invalid(`bad format for add-host: ${JSON.stringify(text)}`);
  const address = text.slice(at + 1).replace(/^\[(.*)\]$/, '$1');
  if (address !== 'host-gateway' && isIP(address) === 0) {
    throw invalid(`invalid IP address in add-host: ${JSON.stringify(address)}`);
  }
}

function assertPort(port: string, bindings: readonly { HostIp?: string; HostPort?: string }[]): void {
  const [number = '', protocol = 'tcp'] = port.split('/');
  if (!isPort(number) || !['tcp', 'udp', 'sctp'].includes(protocol)) {
    throw invalid(`invalid port specification: ${JSON.stringify(port)}`);
  }
  for (const { HostIp = '', HostPort = '' } of bindings) {
    if (HostPort !== '' && !isPort(HostPort)) {
      throw invalid(`invalid port specification: ${JSON.stringify(HostPort)}`);
    }
    if (HostIp !== '' && isIP(HostIp) === 0) throw invalid(`invalid IP address: ${HostIp}`);
  }
}

function isPort(text: string): boolean {
  if (!portSpec.test(text)) return false;
  const [first = 0, last = first] = text.split('-').map(Number);
  return first <= last && last <= largestPort;
}

/** Runtime, isolation, storage options and device drivers that we do not have. */
export function assertIsolation(hostConfig: HostConfig, runtimes: readonly string[]): void {
  if (hostConfig.Isolation !== '' && hostConfig.Isolation.toLowerCase() !== 'default') {
    throw invalid(`invalid isolation '${hostConfig.Isolation}' on linux`);
  }
  // Docker's own name for its runc, which clients copy from an inspect.
  if (!runtimes.includes(hostConfig.Runtime) && hostConfig.Runtime !== 'io.containerd.runc.v2') {
    throw invalid(`unknown or invalid runtime name: ${hostConfig.Runtime}`);
  }
  if (Object.keys(hostConfig.StorageOpt ?? {}).length > 0) {
    throw invalid('--storage-opt is not supported: the size of a container has no limit');
  }
  for (const request of hostConfig.DeviceRequests ?? []) {
    const driver = 'Driver' in request && typeof request.Driver === 'string' ? request.Driver : '';
    const capabilities = 'Capabilities' in request ? request.Capabilities : [];
    const words = Array.isArray(capabilities)
      ? capabilities.map((set) => `[${Array.isArray(set) ? set.join(' ') : String(set)}]`)
      : [];
    throw new EngineError(
      'invalidArgument',
      `could not select device driver ${JSON.stringify(driver)} with capabilities: [${words.join(' ')}]`,
    );
  }
}
