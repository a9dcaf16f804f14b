import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { EngineError, hasErrno } from '../../errors/index.ts';
import { connectSeqpacket } from '../../lib/fd-socket.ts';
import type { Attachment } from '../oci-runtime.ts';
import { Backlog } from './backlog.ts';
import { discard } from './discard.ts';
import type { LeftConnections } from './left-connections.ts';
import { type OutputChunk, OutputQueue } from './output-queue.ts';

export interface AttachTarget {
  /** The directory of conmon's `attach` socket. */
  readonly directory: string;
  readonly stdin: boolean;
  /** Where to keep what a client leaves unread, on a disk; without it the process waits. */
  readonly backlog?: string;
  /** For the error. */
  readonly what: string;
  /** False once the process has ended, when only what is left in its pipes can still come. */
  readonly alive: () => Promise<boolean>;
  /** Where the connection goes when the client leaves, and may come from; without it the connection is closed. */
  readonly left?: LeftConnections;
}

/** conmon reads at most 32 KiB of a packet and drops the rest. [conmon src/config.h CONN_SOCK_BUF_SIZE] */
const packetBytes = 16 << 10;
const stallCheckMs = 2000;

/**
 * Connects to a monitor's attach socket.
 *
 * A client that lags behind for a moment makes the process wait, as a pipe would. One that does so for longer (a terminal
 * left in Ctrl-S, `run … | slow`) does not: what comes is kept for it in a file, up to 1 GiB, and only then the process
 * waits. When the process has ended, a client that does not read cannot hold up its monitor: what is left (its pipes'
 * content, some 100 KiB) is taken into memory.
 */
export async function attachTo(target: AttachTarget): Promise<Attachment> {
  let socket: Socket;
  try {
    socket = target.left?.take(target.directory) ?? (await connectSeqpacket(target.directory, 'attach'));
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'ECONNREFUSED')) throw error;
    throw new EngineError('conflict', `${target.what} is not running`, { cause: error });
  }
  const output = new Output(socket, target);
  return {
    output,
    input: target.stdin ? inputTo(socket) : discard(),
    [Symbol.asyncDispose]: async () => {
      output.leave();
    },
  };
}

const ends = ['end', 'error', 'close'] as const;

/** The packets of one socket, each a byte that names the stream (2 stdout, 3 stderr) and data. */
class Output implements AsyncIterable<OutputChunk> {
  readonly #socket: Socket;
  readonly #target: AttachTarget;
  readonly #queue: OutputQueue;
  #stall: NodeJS.Timeout | undefined;
  #unbounded = false;

  constructor(socket: Socket, target: AttachTarget) {
    this.#socket = socket;
    this.#target = target;
    this.#queue = new OutputQueue({ pause: () => this.#pause(), resume: () => this.#resume() });
    socket.on('data', this.#take);
    for (const event of ends) socket.on(event, this.#close);
  }

  /** The client has left. */
  leave(): void {
    const { left, directory } = this.#target;
    if (left !== undefined && !this.#queue.ended) {
      clearTimeout(this.#stall);
      this.#socket.off('data', this.#take);
      for (const event of ends) this.#socket.off(event, this.#close);
      left.keep(directory, this.#socket);
    } else this.#close();
    this.#queue.discard();
  }

  readonly #take = (packet: Buffer): void => {
    this.#queue.push({ stream: packet[0] === 3 ? 'stderr' : 'stdout', data: packet.subarray(1) });
  };

  readonly #close = (): void => {
    clearTimeout(this.#stall);
    this.#socket.destroy();
    this.#queue.end();
  };

  [Symbol.asyncIterator](): AsyncIterator<OutputChunk> {
    return this.#queue[Symbol.asyncIterator]();
  }

  #pause(): void {
    if (this.#unbounded || this.#socket.isPaused()) return;
    this.#socket.pause();
    this.#checkLater();
  }

  #checkLater(): void {
    this.#stall = setTimeout(() => {
      void this.#whileStalled();
    }, stallCheckMs);
  }

  async #whileStalled(): Promise<void> {
    if (!this.#socket.isPaused() || this.#queue.ended) return;
    const alive = await this.#target.alive();
    if (this.#queue.ended) return;
    if (!alive) {
      this.#unbounded = true;
      this.#socket.resume();
      return;
    }
    const { backlog } = this.#target;
    if (backlog !== undefined && !this.#queue.hasBacklog) this.#divert(backlog);
    if (this.#socket.isPaused()) this.#checkLater();
  }

  #divert(directory: string): void {
    try {
      this.#queue.divert(new Backlog(directory));
    } catch {
      // The disk is full: the process waits, as it would for a slow client.
    }
  }

  #resume(): void {
    if (!this.#socket.isPaused()) return;
    clearTimeout(this.#stall);
    this.#socket.resume();
  }
}

/**
 * One packet at a time: two writes joined into one packet would be cut. What an ended process did not read is nobody's
 * error: it is dropped, and the output's end tells.
 */
function inputTo(socket: Socket): Writable {
  const send = (data: Buffer, done: () => void) => {
    if (socket.destroyed) {
      done();
      return;
    }
    const rest = data.subarray(packetBytes);
    socket.write(data.subarray(0, packetBytes), (error) => {
      if (rest.length === 0 || (error !== undefined && error !== null)) done();
      else send(rest, done);
    });
  };
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      send(chunk, done);
    },
    final: (done) => {
      if (socket.destroyed) done();
      else
        socket.end(() => {
          done();
        });
    },
  });
}
