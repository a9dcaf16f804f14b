import { existsSync } from 'node:fs';
import { readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostFacts } from '../container/index.ts';
import { readOptional } from '../lib/missing-files.ts';

/** What `docker info` shows of the host beyond the facts that containers are made with. */
export interface HostInfo {
  readonly operatingSystem: string;
  readonly osVersion: string;
  readonly backingFilesystem: string;
  /** cgroup controllers that can limit something. */
  readonly controllers: ReadonlySet<string>;
  readonly ipv4Forwarding: boolean;
  readonly openFiles: number;
  readonly cgroupNamespaces: boolean;
}

const filesystemNames: Readonly<Record<number, string>> = {
  0xef53: 'extfs',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlayfs',
  0x2fc12fc1: 'zfs',
  0xf2f52010: 'f2fs',
};

export async function readHostInfo(host: HostFacts, root: string): Promise<HostInfo> {
  const unified = host.cgroupPaths['unified'];
  const [release = '', filesystem, controllers = '', forwarding = '', files] = await Promise.all([
    readOptional('/etc/os-release'),
    statfs(root),
    host.cgroupVersion === 2 && unified !== undefined
      ? readOptional(join(unified, 'cgroup.controllers'))
      : Object.keys(host.cgroupPaths).join(' '),
    readOptional('/proc/sys/net/ipv4/ip_forward'),
    readdir('/proc/self/fd'),
  ]);
  return {
    operatingSystem: releaseField(release, 'PRETTY_NAME') || 'Linux',
    osVersion: releaseField(release, 'VERSION_ID'),
    backingFilesystem: filesystemNames[filesystem.type] ?? '<unknown>',
    controllers: new Set(controllers.trim().split(/\s+/)),
    ipv4Forwarding: forwarding.trim() === '1',
    openFiles: files.length,
    cgroupNamespaces: existsSync('/proc/self/ns/cgroup'),
  };
}

function releaseField(text: string, name: string): string {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}=`));
  return line?.slice(name.length + 1).replace(/^"(.*)"$/, '$1') ?? '';
}
