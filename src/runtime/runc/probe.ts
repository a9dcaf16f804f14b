import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../errors/index.ts';
import { watchProcess } from '../../lib/fd-socket.ts';
import { run } from '../../lib/process.ts';
import { runtimeMessage } from './errors.ts';
import { findProgram, type RuntimeHost } from './host.ts';

export interface ProbeResult {
  readonly version: string;
  readonly commit: string;
  readonly monitorVersion: string;
}

/** Finds the programs and what they need from the kernel, and for crun whether it takes this host's cgroups. */
export async function probe(host: RuntimeHost, signal?: AbortSignal): Promise<ProbeResult> {
  await findProgram(host.program, host.path);
  await findProgram('conmon', host.path);
  const options = { env: { PATH: host.path }, ...(signal === undefined ? {} : { signal }) };
  const [runtime, monitor] = await Promise.all([
    run(host.program, ['--version'], options),
    run('conmon', ['--version'], options),
    host.program === 'crun' ? probeCgroups(host, signal) : undefined,
  ]);
  checkKernel();
  return {
    version: /version (\S+)/.exec(runtime.stdout)?.[1] ?? 'unknown',
    commit: /^commit: (\S+)/m.exec(runtime.stdout)?.[1] ?? 'unknown',
    monitorVersion: /version (\S+)/.exec(monitor.stdout)?.[1] ?? 'unknown',
  };
}

function checkKernel(): void {
  const watch = watchProcess(process.pid);
  watch?.[Symbol.dispose]();
}

/** crun looks at the cgroup hierarchy before it looks for the container. */
async function probeCgroups(host: RuntimeHost, signal?: AbortSignal): Promise<void> {
  const directory = join(host.layout.root, `probe-${randomBytes(6).toString('hex')}`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  try {
    const result = await run('crun', ['--root', directory, '--log-format', 'json', 'list'], {
      env: { PATH: host.path },
      accept: [0, 1],
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.exitCode === 0) return;
    const message = runtimeMessage(result.stderr);
    throw new EngineError(
      'unavailable',
      `crun does not work on this host: ${message}: use the runtime "runc"`,
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
