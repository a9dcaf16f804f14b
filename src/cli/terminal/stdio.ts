import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { StdioChunk, StdioConnection } from '../../client/index.ts';
import { isCode } from '../../errors/index.ts';
import { DetachFilter, defaultDetachKeys, parseDetachKeys } from '../../lib/detach-keys.ts';
import { ignoreClosed } from '../../lib/ignore-closed.ts';
import { exitOf, start } from '../../lib/process.ts';
import type { Context } from '../command.ts';

export interface StdioOptions {
  /** Whether the process has a terminal. */
  readonly tty: boolean;
  /** Whether this command's stdin goes to it. */
  readonly stdin: boolean;
  readonly detachKeys: string;
}

/** Writes output to this command's stdout and stderr, no faster than they take it. */
export async function printOutput(
  output: AsyncIterable<StdioChunk>,
  sinks: { readonly stdout: Writable; readonly stderr: Writable },
): Promise<void> {
  for await (const { stream, data } of output) {
    const sink = sinks[stream];
    if (!sink.write(data)) await once(sink, 'drain');
  }
}

/**
 * Joins the terminal (or pipes) of this command with a container's stdio until its output ends or the user detaches.
 * With a terminal on both sides ours is raw meanwhile.
 */
export async function joinStdio(
  context: Context,
  connection: StdioConnection,
  options: StdioOptions,
): Promise<'ended' | 'detached'> {
  const { stdin } = context;
  const raw = options.tty && options.stdin && stdin.isTTY;
  if (raw) await beginRaw(stdin);
  const { promise: detached, resolve: detach } = Promise.withResolvers<'detached'>();
  const stopInput = options.stdin
    ? sendInput(context, connection.input, {
        raw,
        detachKeys: options.detachKeys,
        onDetach: () => detach('detached'),
      })
    : closeInput(connection.input);
  try {
    const ended = printOutput(connection.output, context).then(() => 'ended' as const);
    const result = await Promise.race([ended, detached]);
    if (result === 'detached') {
      // The connection is dropped, and what is still printed with it.
      ended.catch(() => undefined);
    }
    return result;
  } finally {
    if (raw) stdin.setRawMode(false);
    stopInput();
    connection[Symbol.dispose]();
  }
}

/** Raw both ways: Node's mode alone would still turn each line feed of a program into two characters. */
async function beginRaw(terminal: Context['stdin']): Promise<void> {
  terminal.setRawMode(true);
  try {
    await exitOf('stty', start('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] }));
  } catch (error) {
    // A line feed of two characters is no reason to let go of a container.
    if (!isCode(error, 'unavailable')) throw error;
  }
}

/** Nothing to send; the process sees no end of input either, as with Docker. */
function closeInput(input: Writable): () => void {
  input.on('error', ignoreClosed);
  return () => undefined;
}

function sendInput(
  context: Context,
  input: Writable,
  options: { readonly raw: boolean; readonly detachKeys: string; readonly onDetach: () => void },
): () => void {
  const { stdin } = context;
  const forward = (data: Buffer) => {
    if (!input.write(data)) stdin.pause();
  };
  const filter = options.raw
    ? new DetachFilter(parseDetachKeys(options.detachKeys || defaultDetachKeys), forward)
    : undefined;
  const onDrain = () => stdin.resume();
  const onData = (data: Buffer) => {
    if (filter === undefined) forward(data);
    else if (filter.push(data)) options.onDetach();
  };
  const onEnd = () => {
    filter?.flush();
    input.end();
  };
  input.on('error', ignoreClosed);
  input.on('drain', onDrain);
  stdin.on('data', onData);
  stdin.once('end', onEnd);
  stdin.resume();
  return () => {
    filter?.[Symbol.dispose]();
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    input.off('drain', onDrain);
    stdin.pause();
    // A pipe that never ends would keep this command alive.
    stdin.destroy();
  };
}
