import type { Socket } from 'node:net';

const ends = ['end', 'error', 'close'] as const;

/**
 * Connections of clients that only listened and have left. conmon takes the end of any connection for the end of the
 * client's input, and closes the process's stdin for it: so these stay open, what comes on them is dropped, and the next
 * client that only listens gets one of them.
 */
export class LeftConnections implements Disposable {
  readonly #kept = new Map<Socket, { readonly directory: string; readonly close: () => void }>();

  /** Takes over a connection to the monitor whose attach socket is in `directory`, until the monitor closes it. */
  keep(directory: string, socket: Socket): void {
    const close = () => {
      socket.destroy();
      this.#kept.delete(socket);
    };
    this.#kept.set(socket, { directory, close });
    for (const event of ends) socket.on(event, close);
    socket.resume();
  }

  /** The caller's from now on. */
  take(directory: string): Socket | undefined {
    for (const [socket, kept] of this.#kept) {
      if (kept.directory !== directory) continue;
      for (const event of ends) socket.off(event, kept.close);
      this.#kept.delete(socket);
      return socket;
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    for (const { close } of this.#kept.values()) close();
  }
}
