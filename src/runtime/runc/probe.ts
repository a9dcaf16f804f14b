import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/index.ts';
import { watchProcess } from '../../lib/fd-socket.ts';
import { findProgram } from '../../lib/process.ts';
import { type RunOptions, run } from '../../lib/run.ts';
import type { RuntimeSpec } from '../spec.ts';
import { runtimeMessage } from './errors.ts';
import type { RuntimeHost } from './host.ts';

export interface ProbeResult {
  readonly version: string;
  readonly commit: string;
  readonly monitorVersion: string;
}

/** Finds the programs and what they need from the kernel, and for crun whether it takes this host's cgroups. */
export async function probe(host: RuntimeHost, signal?: AbortSignal): Promise<ProbeResult> {
  for (const program of [host.program, 'conmon']) findProgram(program, host.path);
  const options = { env: { PATH: host.path }, ...(signal === undefined ? {} : { signal }) };
  const [runtime, monitor] = await Promise.all([
    versionOf(host.program, options),
    versionOf('conmon', options),
    host.program === 'crun' ? probeCgroups(host, signal) : undefined,
  ]);
  checkKernel();
  return {
    version: /version (\S+)/.exec(runtime)?.[1] ?? 'unknown',
    commit: /^commit: (\S+)/m.exec(runtime)?.[1] ?? 'unknown',
    monitorVersion: /version (\S+)/.exec(monitor)?.[1] ?? 'unknown',
  };
}

/** What a program says of its version. One that is there but does not run, as after half an upgrade, is named too. */
async function versionOf(program: string, options: RunOptions): Promise<string> {
  try {
    return (await run(program, ['--version'], options)).stdout;
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new EngineError(
      'unavailable',
      `Cannot use ${program}: ${messageOf(error)}: install the package "${program}" again`,
      { cause: error },
    );
  }
}

function checkKernel(): void {
  const watch = watchProcess(process.pid);
  watch?.[Symbol.dispose]();
}

/**
 * Debian's crun refuses the cgroups of some hosts, and says so only when it starts a container: this one has a command
 * that is not there, which is the error of a crun that works.
 */
async function probeCgroups(host: RuntimeHost, signal?: AbortSignal): Promise<void> {
  const id = `probe-${randomBytes(6).toString('hex')}`;
  const bundle = join(host.run, id);
  await mkdir(join(bundle, 'rootfs'), { recursive: true, mode: 0o700 });
  const crun = (...args: string[]) =>
    run('crun', ['--root', host.layout.root, '--log-format', 'json', ...args], {
      env: { PATH: host.path },
      accept: [0, 1],
      ...(signal === undefined ? {} : { signal }),
    });
  try {
    await writeFile(join(bundle, 'config.json'), JSON.stringify(probeSpec(bundle, id)));
    const { stderr } = await crun('run', '--bundle', bundle, id);
    const message = runtimeMessage(stderr);
    if (/not found|no such file/i.test(message)) return;
    throw new EngineError(
      'unavailable',
      `The runtime crun does not work on this host: ${message}: use the runtime runc`,
    );
  } finally {
    await crun('delete', '--force', id);
    await rm(bundle, { recursive: true, force: true });
  }
}

function probeSpec(bundle: string, id: string): RuntimeSpec {
  return {
    ociVersion: '1.0.2',
    root: { path: join(bundle, 'rootfs'), readonly: false },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['/probe'],
      env: [],
      cwd: '/',
    },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc', options: [] }],
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'mount' }],
      resources: {},
      cgroupsPath: `/${id}`,
    },
  };
}
