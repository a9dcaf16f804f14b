import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { Session } from '../../src/container/index.ts';
import type { Engine } from '../../src/engine/index.ts';
import { createHttpServer } from '../../src/http/index.ts';
import { exitOf, killGroup, start } from '../../src/lib/process.ts';

/** The few methods a protocol test needs; the server is tested with the whole engine in test/e2e. */
export type PartialEngine = {
  readonly [Part in keyof Engine]?: Partial<Engine[Part]>;
};

/** A server on a fresh unix socket, closed when the test ends. */
export async function serve(t: TestContext, engine: PartialEngine): Promise<{ readonly path: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-http-'));
  const parts = { containers: {}, images: {}, networks: {}, volumes: {}, builder: {}, system: {} };
  const server = createHttpServer({
    engine: { ...parts, ...engine } as unknown as Engine,
    logger: pino({ level: 'silent' }),
  });
  t.after(async () => {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  });
  const path = join(directory, 'engine.sock');
  await server.listen(`unix://${path}`);
  return { path };
}

export interface Answer {
  readonly status: number;
  readonly headers: string;
  readonly body: Buffer;
}

/** A client that writes bytes itself, to see what HTTP libraries hide. */
export class RawClient {
  readonly socket: Socket;
  readonly #received: Buffer[] = [];
  readonly #ended: Promise<void>;

  constructor(path: string) {
    this.socket = createConnection({ path, allowHalfOpen: true });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    this.socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk);
      this.socket.emit('more');
    });
    this.socket.once('end', resolve).once('close', () => {
      resolve();
    });
    this.socket.on('error', () => {
      resolve();
    });
  }

  send(...lines: readonly string[]): void {
    this.socket.write(lines.join('\r\n'));
  }

  /** Everything received once `text` is among it. */
  async until(text: string): Promise<string> {
    for (;;) {
      const all = Buffer.concat(this.#received).toString('latin1');
      if (all.includes(text)) return all;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.socket.once('more', resolve);
      await Promise.race([promise, this.#ended.then(() => Promise.reject(new Error(`ended after: ${all}`)))]);
    }
  }

  /** The whole answer once the server has ended the connection. */
  async answer(): Promise<Answer> {
    await this.#ended;
    this.socket.destroy();
    const all = Buffer.concat(this.#received);
    const split = all.indexOf('\r\n\r\n');
    const headers = all.subarray(0, split).toString('latin1');
    return { status: Number(headers.split(' ')[1]), headers, body: all.subarray(split + 4) };
  }
}

/** The parts of a multiplexed stream. */
export function readFrames(bytes: Buffer): { readonly stream: number; readonly text: string }[] {
  const frames: { stream: number; text: string }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at + 4);
    frames.push({ stream: bytes[at] ?? -1, text: bytes.subarray(at + 8, at + 8 + size).toString() });
    at += 8 + size;
  }
  return frames;
}

/** The stdio of a real command, as a container's would be. */
export function shellSession(script: string, options: { readonly tty?: boolean } = {}): Session {
  const child = start('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'pipe'] });
  const merged = new PassThrough({ objectMode: true });
  const streams = { stdout: child.stdout, stderr: child.stderr } as const;
  let open = 2;
  for (const stream of ['stdout', 'stderr'] as const) {
    streams[stream]?.on('data', (data: Buffer) => merged.write({ stream, data }));
    streams[stream]?.on('end', () => {
      if (--open === 0) merged.end();
    });
  }
  const exited = exitOf('sh', child);
  const dispose = async () => {
    if (child.exitCode === null && child.signalCode === null) killGroup(child);
    await exited;
  };
  if (child.stdin === null) throw new Error('the command has no stdin');
  return {
    tty: options.tty ?? false,
    output: merged,
    input: child.stdin,
    [Symbol.asyncDispose]: dispose,
  };
}
