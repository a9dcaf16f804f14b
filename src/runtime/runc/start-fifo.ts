import { constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { EngineError } from '../../errors/index.ts';
import { startFifo } from './state.ts';

/**
 * Runs a created container's command: its first process waits until someone reads from its fifo, which is all that
 * `runc start` does, in 8 ms more. [runc libcontainer/container_linux.go exec]
 *
 * `ended` ends the wait when the container ends first. Rejects with ENOENT if it was already started.
 */
export async function releaseInit(directory: string, ended: () => Promise<void>): Promise<void> {
  const path = join(directory, startFifo);
  const socket = new Socket({
    fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  });
  const byte = Promise.withResolvers<boolean>();
  socket.once('data', () => {
    byte.resolve(true);
  });
  socket.once('end', () => {
    byte.resolve(false);
  });
  socket.once('error', byte.reject);
  try {
    const started = await Promise.race([byte.promise, ended().then(nothingCame)]);
    if (!started) throw new EngineError('internal', 'The container ended before its command ran');
  } finally {
    socket.destroy();
  }
  rmSync(path, { force: true });
}

/** What it wrote before it ended has been read once the event loop has looked: between these two turns. */
async function nothingCame(): Promise<false> {
  await nextTurn();
  return nextTurn(false);
}
