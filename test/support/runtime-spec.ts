import type { RuntimeSpec } from '../../src/runtime/index.ts';

export interface SpecOptions {
  readonly rootfs: string;
  readonly cgroup: string;
  readonly args: readonly string[];
  readonly terminal?: boolean;
  readonly uid?: number;
  readonly memory?: number;
  readonly consoleSize?: { readonly height: number; readonly width: number };
}

const capabilities = ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER'];

/** A plain container without a network, for tests of the runtime alone. */
export function runtimeSpec(options: SpecOptions): RuntimeSpec {
  const uid = options.uid ?? 0;
  return {
    ociVersion: '1.0.2',
    root: { path: options.rootfs, readonly: false },
    process: {
      terminal: options.terminal ?? false,
      ...(options.consoleSize === undefined ? {} : { consoleSize: options.consoleSize }),
      user: { uid, gid: uid },
      args: options.args,
      env: ['PATH=/bin'],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      },
    ],
    linux: {
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
      cgroupsPath: options.cgroup,
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        ...(options.memory === undefined ? {} : { memory: { limit: options.memory, swap: options.memory } }),
      },
    },
  };
}
