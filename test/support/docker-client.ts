import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { CommandResult, TestDaemon } from './daemon.ts';

export interface ClientOptions {
  readonly input?: Readable;
  /** Takes standard output as it comes, in place of the result. */
  readonly onOutput?: (chunk: Buffer) => void;
}

/** The docker CLI beside others, where `TestDaemon.docker` waits for each. */
export async function runClient(
  daemon: TestDaemon,
  args: readonly string[],
  { input, onOutput }: ClientOptions = {},
): Promise<CommandResult> {
  const child = spawn('docker', ['-H', daemon.host, ...args], {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, DOCKER_CONFIG: join(daemon.directory, 'docker-config') },
  });
  const result = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => {
    if (onOutput === undefined) result.stdout += chunk.toString();
    else onOutput(chunk);
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    result.stderr += chunk.toString();
  });
  const sent = input === undefined || child.stdin === null ? undefined : pipeline(input, child.stdin);
  const [code] = (await once(child, 'close')) as [number | null];
  await sent;
  return { code: code ?? 128, ...result };
}

/** Calls `work` for 0 to `count - 1`, up to `atOnce` at a time. */
export async function forEachOf(
  count: number,
  atOnce: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
}
